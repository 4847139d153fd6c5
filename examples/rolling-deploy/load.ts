/**
 * Clients of the drill, as many as will never be idle: short requests, requests that take seconds, and WebSockets that say something
 * all the time. Every answer is looked at; whatever a client would notice is a failure.
 *
 * A WebSocket that is told 1001 (“going away”) connects again and says once more what was not answered: that is what 1001 asks for.
 */
import { Agent, request as httpRequest } from 'node:http';

export interface Tally {
  done: number;
  failed: number;
  slowestMs: number;
  /** What was wrong, the first of each kind. */
  readonly problems: Set<string>;
  /** Who answered: requests by version of the server. */
  readonly versions: Map<string, number>;
}

const LANES = { short: 6, long: 6, sockets: 6 };
/** A client's patience; nothing here takes half of it. */
const PATIENCE_MS = 15_000;
/** Between an answer and the next of a lane: a load, not a benchmark. */
const SAY_MS = 50;
const ASK_MS = 5;
const GOING_AWAY = 1001;

function tally(): Tally {
  return { done: 0, failed: 0, slowestMs: 0, problems: new Set(), versions: new Map() };
}

export class Load {
  readonly short = tally();
  readonly long = tally();
  readonly messages = tally();
  /** WebSockets: opened, and closed in any other way than by 1001 or us. */
  readonly sockets = tally();
  toldToGo = 0;
  readonly #origin: string;
  readonly #agent = new Agent({ keepAlive: true });
  readonly #lanes: Promise<void>[] = [];
  #running = true;

  /** `origin` is `http://host:port`. */
  constructor(origin: string) {
    this.#origin = origin;
    for (let lane = 0; lane < LANES.short; lane += 1) this.#lanes.push(this.#askOn('/', 'short', this.short));
    for (let lane = 0; lane < LANES.long; lane += 1) this.#lanes.push(this.#askOn('/long', 'all of it', this.long));
    for (let lane = 0; lane < LANES.sockets; lane += 1) this.#lanes.push(this.#talkOn());
  }

  /** Lets everybody finish what was begun. */
  async stop(): Promise<void> {
    this.#running = false;
    await Promise.all(this.#lanes);
    this.#agent.destroy();
  }

  async #askOn(path: string, end: string, into: Tally): Promise<void> {
    while (this.#running) {
      const startMs = performance.now();
      const { problem, version } = await this.#ask(path, end);
      into.slowestMs = Math.max(into.slowestMs, performance.now() - startMs);
      into.versions.set(version, (into.versions.get(version) ?? 0) + 1);
      count(into, problem);
      await new Promise((resolve) => setTimeout(resolve, ASK_MS));
    }
  }

  #ask(path: string, end: string): Promise<{ readonly problem: string | null; readonly version: string }> {
    const { promise, resolve } = Promise.withResolvers<{ problem: string | null; version: string }>();
    const request = httpRequest(`${this.#origin}${path}`, { agent: this.#agent, timeout: PATIENCE_MS }, (response) => {
      const version = String(response.headers['x-version']);
      let body = '';
      response.setEncoding('utf8').on('data', (text: string) => (body += text));
      response.on('error', ({ message }) => resolve({ problem: `${path}: ${message} in the answer`, version }));
      response.on('end', () => {
        const isWhole = response.statusCode === 200 && body.endsWith(end);
        const problem = isWhole ? null : `${path}: status ${response.statusCode}, ${body.slice(-80)}`;
        resolve({ problem, version });
      });
    });
    request.on('timeout', () => request.destroy(new Error(`no answer in ${PATIENCE_MS} ms`)));
    request.on('error', ({ message }) => resolve({ problem: `${path}: ${message}`, version: 'none' }));
    request.end();
    return promise;
  }

  async #talkOn(): Promise<void> {
    let said = 0;
    while (this.#running) said = await this.#talk(said);
  }

  /** One WebSocket, until it closes; `said` were answered before it. Returns how many are after. */
  #talk(said: number): Promise<number> {
    const { promise, resolve } = Promise.withResolvers<number>();
    const socket = new WebSocket(this.#origin.replace('http', 'ws'));
    let timer: NodeJS.Timeout | undefined;
    const sayNext = (): void => {
      if (this.#running) socket.send(`message ${said}`);
      else socket.close(1000);
    };
    socket.addEventListener('open', sayNext);
    socket.addEventListener('message', ({ data }) => {
      count(this.messages, data === `message ${said}` ? null : `WebSocket: ${String(data)} for message ${said}`);
      said += 1;
      timer = setTimeout(sayNext, SAY_MS);
    });
    socket.addEventListener('close', ({ code }) => {
      clearTimeout(timer);
      if (code === GOING_AWAY) this.toldToGo += 1;
      const isGood = code === GOING_AWAY || (code === 1000 && !this.#running);
      count(this.sockets, isGood ? null : `WebSocket: closed with ${code}`);
      resolve(said);
    });
    return promise;
  }
}

function count(into: Tally, problem: string | null): void {
  if (problem === null) into.done += 1;
  else {
    into.failed += 1;
    into.problems.add(problem);
  }
}
