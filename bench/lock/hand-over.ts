/**
 * How soon the next leads: after its leader was killed (`kill -9`), and after it resigned. Two processes campaign for a seat; time runs in this one,
 * from the kill, or from when it asks the leader to resign, to the other's word that it leads.
 */
import { WorkerProcess } from '../../test/faults/processes.ts';
import { type EngineName, engineNames, engines } from './engines.ts';
import { type Print, range } from './report.ts';

/** The shortest of all stores: etcd's. */
const TTL_MS = 1000;
const KILLS = 4;
const RESIGNATIONS = 15;

class Seat implements AsyncDisposable {
  readonly #start: () => WorkerProcess;
  #leader: WorkerProcess;
  #next: WorkerProcess;
  #leads: Promise<unknown> = Promise.resolve();

  constructor(name: EngineName, address: string) {
    const file = new URL('./candidate-process.ts', import.meta.url);
    this.#start = () => new WorkerProcess(file, { args: [name, address, String(TTL_MS)] });
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
    await new Promise<void>((resolve) => setTimeout(resolve, TTL_MS * (0.5 + Math.random() / 2)));
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

async function handOver(name: EngineName): Promise<readonly string[]> {
  await using server = await engines[name].start();
  await using seat = new Seat(name, server.address);
  await seat.begin();
  const [resigned, killed]: [number[], number[]] = [[], []];
  for (let round = 0; round < RESIGNATIONS; round++) resigned.push(await seat.resign());
  for (let round = 0; round < KILLS; round++) killed.push(await seat.kill());
  return [name, range(resigned, 1), range(killed, 0)];
}

export async function handOverPart(print: Print): Promise<void> {
  const rows: (readonly string[])[] = [];
  for (const name of engineNames) rows.push(await handOver(name));
  const title = `A seat changes hands, ttl ${TTL_MS} ms (goals: 100 ms, and ${Math.round((TTL_MS * 4) / 3)} ms)`;
  print(title, ['', 'after a resignation, ms', 'after kill -9, ms'], rows);
}
