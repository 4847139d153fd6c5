/**
 * One cell of the safety matrix: processes that increment counters under one lock while something breaks, and the judgement of what happened, by
 * the resource's own log and by the history of who acquired when.
 *
 * What is random in it (how many increments, who begins, jitter) comes from a seed, which is printed and may be given as `SEED`. Nothing waits for
 * time to pass: everything is the answer to a question, or an event of a process, a line or a server.
 */
import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { type Random, seededRandom } from '../../../src/kernel/random.ts';
import { checkLinearizable, checkLockHistory, fencedMutex, readHistory } from '../../../src/testing/index.ts';
import { WorkerProcess, type WorkerOptions } from '../../faults/processes.ts';
import type { LockQuestion, Opening, Written } from './lock-process.ts';
import type { Claim } from './matrix.ts';
import { type Place, Resource } from './resource.ts';
import type { StoreAddress } from './stores.ts';

const file = new URL('lock-process.ts', import.meta.url);
/** Of a lease whose end is waited for: longer than a busy machine lets a process stand, for a pause is a fault of its own. */
export const TTL_MS = 3000;
/** Of a lease that must outlive what happens, which takes far less; half as long again is what a session of ZooKeeper may last. */
export const LONG_TTL_MS = 20_000;

/** The resource and the processes of a file of tests: those that nothing is done to are shared by its cells. */
export class Ground implements AsyncDisposable {
  readonly resource: Resource;
  readonly #shared: WorkerProcess[] = [];

  private constructor(resource: Resource) {
    this.resource = resource;
  }

  static async open(): Promise<Ground> {
    return new Ground(await Resource.open());
  }

  shared(index: number): WorkerProcess {
    return (this.#shared[index] ??= this.start({}));
  }

  start(options: Omit<WorkerOptions, 'args'>): WorkerProcess {
    return new WorkerProcess(file, { ...options, args: [this.resource.path] });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#shared.map((process) => process.kill()));
    await this.resource[Symbol.asyncDispose]();
  }
}

/** A process's part in a cell. */
export class Hand {
  readonly process: WorkerProcess;
  readonly #name: string;

  constructor(process: WorkerProcess, name: string) {
    this.process = process;
    this.#name = name;
  }

  /** Acquires and reads: its token. */
  async hold(waitMs = 30_000): Promise<bigint | null> {
    const token = await this.#ask<string | null>({ verb: 'hold', hand: this.#name, waitMs });
    return token === null ? null : BigInt(token);
  }

  /** Writes if its lease says that it may. */
  write(): Promise<Written> {
    return this.#ask({ verb: 'write', hand: this.#name, pause: false });
  }

  /** Has looked at its lease when this resolves, and writes when it is told to go. */
  async aboutToWrite(): Promise<() => Promise<Written>> {
    const written = this.#ask<Written>({ verb: 'write', hand: this.#name, pause: true });
    await Promise.race([
      this.process.next<{ hand?: string; event?: string }>(
        ({ hand, event }) => hand === this.#name && event === 'about to write',
      ),
      written.then((how) => assert.fail(`it did not come to writing: ${JSON.stringify(how)}`)),
    ]);
    return () => {
      void this.#ask({ verb: 'go', hand: this.#name });
      return written;
    };
  }

  lost(): Promise<void> {
    return this.#ask({ verb: 'lost', hand: this.#name });
  }

  release(): Promise<void> {
    return this.#ask({ verb: 'release', hand: this.#name });
  }

  /** Nobody waits for the ends of these leases. */
  increment(times: number): Promise<void> {
    return this.#ask({ verb: 'increment', hand: this.#name, times, ttlMs: LONG_TTL_MS });
  }

  #ask<T>(question: LockQuestion): Promise<T> {
    return this.process.ask<T>(question);
  }
}

export class Cell implements AsyncDisposable {
  readonly ground: Ground;
  readonly seed: number;
  readonly random: Random;
  readonly #name: string;
  readonly #history = mkdtempSync(join(tmpdir(), 'spillway-cell-'));
  readonly #things = new AsyncDisposableStack();
  #hands = 0;

  constructor(ground: Ground, name: string, seed = Number(process.env['SEED'] ?? randomInt(2 ** 31))) {
    this.ground = ground;
    this.#name = name;
    this.seed = seed;
    this.random = seededRandom(seed);
  }

  /** What is gone with the cell. */
  use<Thing extends AsyncDisposable | Disposable>(thing: Thing): Thing {
    return this.#things.use(thing);
  }

  /** A process that is stopped or killed, or has a clock of its own. */
  ownProcess(options: Omit<WorkerOptions, 'args'> = {}): WorkerProcess {
    return this.use(this.ground.start(options));
  }

  /** `ttlMs` is that of a lease that it holds. */
  async hand(process: WorkerProcess, address: StoreAddress, ttlMs = TTL_MS): Promise<Hand> {
    const name = `${this.#name} ${++this.#hands}`;
    const seed = Math.floor(this.random.unit() * 2 ** 31);
    const opening: Opening = { hand: name, counter: this.#name, address, history: this.#history, ttlMs, seed };
    await process.ask({ verb: 'open', ...opening });
    return new Hand(process, name);
  }

  /** A few increments of each, all at once. */
  async increments(hands: readonly Hand[]): Promise<void> {
    await Promise.all(hands.map((hand) => hand.increment(2 + Math.floor(this.random.unit() * 4))));
  }

  /** Whether what happened is what the matrix says. */
  async judge(claim: Claim): Promise<void> {
    const [fenced, plain] = [this.#seen('fenced'), this.#seen('plain')];
    const told = (seen: Seen): string => seen.faults.map(({ text }) => text).join('\n');
    assert.ok(fenced.writes >= 3, 'there was something to judge');
    const history = readHistory<AcquireOrRelease, bigint>(this.#history);
    const verdict = await checkLinearizable(fencedMutex({ expires: true }), history);
    if (claim === 'not guaranteed') {
      assert.equal(verdict.ok, false, 'tokens did not go back: the matrix says less than is true');
      return;
    }
    assert.equal(verdict.ok, true, verdict.ok === true ? '' : verdict.text);
    assert.deepEqual(fenced.faults, [], `the fenced counter was harmed:\n${told(fenced)}`);
    assert.equal(fenced.value, fenced.writes, 'an increment of the fenced counter was lost');
    if (claim === 'guaranteed') {
      assert.deepEqual(plain.faults, [], `the plain counter was harmed:\n${told(plain)}`);
      assert.equal(plain.value, plain.writes, 'an increment of the plain counter was lost');
      assert.deepEqual(fenced.refused, [], 'somebody came too late to the fenced counter');
    } else {
      assert.notDeepEqual(fenced.refused, [], 'nothing stale was refused: there was nothing to detect');
      assert.notDeepEqual(plain.faults, [], 'the plain counter came to no harm: the matrix says less than is true');
    }
  }

  #seen(place: Place): Seen {
    const { value, log } = this.ground.resource.counter(this.#name, place);
    const writes = log.filter(({ op, accepted }) => op === 'write' && accepted === true).length;
    return { value, writes, refused: log.filter(({ accepted }) => accepted === false), faults: checkLockHistory(log) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#things[Symbol.asyncDispose]();
    rmSync(this.#history, { recursive: true, force: true });
  }
}

type AcquireOrRelease = { readonly op: 'acquire' } | { readonly op: 'release'; readonly token: bigint };

interface Seen {
  readonly value: number;
  readonly writes: number;
  readonly refused: readonly unknown[];
  readonly faults: ReturnType<typeof checkLockHistory>;
}
