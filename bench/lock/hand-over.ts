/**
 * How soon the next leads: after its leader was killed (`kill -9`), and after it resigned. Two processes campaign for a seat; time runs in this one,
 * from the kill, or from when it asks the leader to resign, to the other's word that it leads.
 *
 * After a kill that is: what is left of the leader's time at the server, which counts from its last renewal; what the server takes to notice; and some
 * milliseconds until the next has been told and has asked. With another `--ttl` it shows which of it grows with the ttl.
 */
import { WorkerProcess } from '../../test/faults/processes.ts';
import { type EngineName, engines } from './engines.ts';
import { type Print, range } from './report.ts';

const KILLS = 4;
const RESIGNATIONS = 15;

class Seat implements AsyncDisposable {
  readonly #ttlMs: number;
  readonly #start: () => WorkerProcess;
  #leader: WorkerProcess;
  #next: WorkerProcess;
  #leads: Promise<unknown> = Promise.resolve();

  constructor(name: EngineName, address: string, ttlMs: number) {
    const file = new URL('./candidate-process.ts', import.meta.url);
    this.#ttlMs = ttlMs;
    this.#start = () => new WorkerProcess(file, { args: [name, address, String(ttlMs)] });
    this.#leader = this.#start();
    this.#next = this.#start();
  }

  async begin(): Promise<void> {
    await this.#leader.ask({ verb: 'campaign' });
    this.#leads = this.#next.ask({ verb: 'campaign' });
    await this.#settled();
  }

  /** The next waits, and the leader is anywhere between two renewals. */
  async #settled(): Promise<void> {
    await this.#next.ask({ verb: 'look' });
    await new Promise<void>((resolve) => setTimeout(resolve, this.#ttlMs * (0.5 + Math.random() / 2)));
  }

  async resign(): Promise<number> {
    const startMs = performance.now();
    const resigned = this.#leader.ask({ verb: 'resign' });
    await this.#leads;
    const ms = performance.now() - startMs;
    await resigned;
    [this.#leader, this.#next] = [this.#next, this.#leader];
    this.#leads = this.#next.ask({ verb: 'campaign' });
    await this.#next.ask({ verb: 'look' });
    return ms;
  }

  async kill(): Promise<number> {
    await this.#settled();
    const startMs = performance.now();
    await this.#leader.kill();
    await this.#leads;
    const ms = performance.now() - startMs;
    this.#leader = this.#next;
    this.#next = this.#start();
    this.#leads = this.#next.ask({ verb: 'campaign' });
    return ms;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#leads.catch(() => {});
    await Promise.all([this.#leader.kill(), this.#next.kill()]);
  }
}

async function handOver(name: EngineName, ttlMs: number): Promise<readonly string[]> {
  await using server = await engines[name].start();
  await using seat = new Seat(name, server.address, ttlMs);
  await seat.begin();
  const [resigned, killed]: [number[], number[]] = [[], []];
  for (let round = 0; round < RESIGNATIONS; round++) resigned.push(await seat.resign());
  for (let round = 0; round < KILLS; round++) killed.push(await seat.kill());
  return [name, range(resigned, 1), range(killed, 0)];
}

export interface HandOverOptions {
  readonly stores: readonly EngineName[];
  readonly ttlMs: number;
}

export async function handOverPart(print: Print, { stores, ttlMs }: HandOverOptions): Promise<void> {
  const rows: (readonly string[])[] = [];
  for (const name of stores) rows.push(await handOver(name, ttlMs));
  const title = `A seat changes hands, ttl ${ttlMs} ms (goals: 100 ms, and ${Math.round((ttlMs * 4) / 3)} ms)`;
  print(title, ['', 'after a resignation, ms', 'after kill -9, ms'], rows);
}
