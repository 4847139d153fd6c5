/**
 * Keeps the data plane alive: one thread a lane, replaced with backoff when it is lost, and one config for all of them.
 *
 * Invariants:
 * - A config becomes current only when every serving lane has taken it. One lane tries it first; if it or another refuses
 *   (or is lost over it), the lanes that took it get the old one again.
 * - A lane never has two threads. Its gauges are cleared between one thread and the next.
 * - A lane that comes back while a config is being applied is brought up to date afterwards (`#catchUp`).
 * - Nothing restarts while draining or stopped.
 */
import type { ResourceLimits } from 'node:worker_threads';
import { SpillwayError, type ErrorCode } from '../../kernel/errors.ts';
import type { Clock, Timer } from '../../kernel/clock.ts';
import type { Random } from '../../kernel/random.ts';
import type { SpanRecord } from '../../observe/trace/span-record.ts';
import type { CanaryPlan, Snapshot } from '../snapshot.ts';
import type { WorkerState } from './gateway-state.ts';
import { NoticeNews } from './notice-news.ts';
import { restartDelayMs, STABLE_MS } from './restart-delay.ts';
import { WorkerThread, type ApplyAnswer } from './worker-thread.ts';

/** A worker that says nothing for this long hangs: compiling thousands of routes and certificates takes well below it. */
const ANSWER_MS = 15_000;

/** What a thread may take beyond the drain's own limit to flush its log and say so. */
const DRAIN_GRACE_MS = 1_000;

export interface SupervisorOptions {
  readonly lanes: number;
  readonly entry: URL;
  readonly resourceLimits: ResourceLimits;
  readonly clock: Clock;
  readonly random: Random;
  /** Takes off what the thread of a lane had under way that has ended. */
  readonly clearLane: (lane: number) => void;
  readonly onLost: (lane: number, reason: string, restartInMs: number) => void;
  readonly onReplaced: (lane: number) => void;
  /** A worker has seen an endpoint fail so often in a row that it should be looked at now. */
  readonly onRowFull: () => void;
  /** Traces that a worker has kept. */
  readonly onSpans: (spans: readonly SpanRecord[]) => void;
  readonly onNotice: (level: 'info' | 'warn' | 'error', message: string) => void;
}

export type ApplyOutcome =
  | { readonly kind: 'applied' }
  | { readonly kind: 'refused'; readonly code: ErrorCode; readonly reason: string };

/** What a worker's bind can fail with, beside our own code. */
const LISTEN_CODES: ReadonlySet<string> = new Set([
  'LISTEN_FAILED',
  'EADDRINUSE',
  'EACCES',
  'EADDRNOTAVAIL',
  'ENOTFOUND',
]);

type Setback = Exclude<ApplyAnswer, { readonly kind: 'applied' }>;

interface Lane {
  readonly number: number;
  thread: WorkerThread | null;
  phase: WorkerState['phase'];
  /** Version of the config its thread runs. */
  version: number;
  servingSinceMs: number;
  restarts: number;
  lossesInRow: number;
  lastLoss: string | null;
  restart: Timer | null;
}

export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #lanes: Lane[];
  readonly #notices = new NoticeNews();
  #current: Snapshot | null = null;
  #canary: CanaryPlan | null = null;
  #ports: Record<string, number> = {};
  #lastLossMs = 0;
  /** The config that is being applied. */
  #next: Snapshot | null = null;
  #ending = false;

  constructor(options: SupervisorOptions) {
    this.#options = options;
    this.#lastLossMs = options.clock.nowMs();
    this.#lanes = Array.from({ length: options.lanes }, (_, index) => newLane(index + 1));
  }

  /** The ports in use, by listener id. */
  get ports(): Readonly<Record<string, number>> {
    return this.#ports;
  }

  get serving(): number {
    return this.#lanes.filter((lane) => lane.phase === 'serving').length;
  }

  /** Since when no lane serves, in ms of the clock; null while one does. */
  get idleSinceMs(): number | null {
    return this.serving > 0 ? null : this.#lastLossMs;
  }

  states(): Omit<WorkerState, 'loopLagMs' | 'heapBytes'>[] {
    return this.#lanes.map(({ number, phase, restarts, lastLoss }) => ({ lane: number, phase, restarts, lastLoss }));
  }

  /**
   * Starts the first lane, which learns the ports, then the others. Throws `LISTEN_FAILED` or `WORKER_FAILED` if the first
   * cannot serve; the others are replaced like any lost worker, because one that serves is enough to go on.
   */
  async start(snapshot: Snapshot): Promise<void> {
    this.#current = snapshot;
    const [first, ...others] = this.#lanes;
    const answer = await this.#launch(first!, snapshot, { replace: false });
    if (answer.kind !== 'applied') {
      this.#ending = true;
      await this.#terminate('not started');
      throw failure(answer);
    }
    await Promise.all(others.map((lane) => this.#launch(lane, snapshot, { replace: true })));
  }

  /** Applies a config to all lanes or to none. */
  async apply(snapshot: Snapshot): Promise<ApplyOutcome> {
    this.#next = snapshot;
    try {
      const serving = this.#lanes.filter((lane) => lane.phase === 'serving');
      const refusal = serving.length === 0 ? await this.#applyToNone(snapshot) : await this.#applyTo(serving, snapshot);
      if (refusal !== null) return refusal;
      this.#current = snapshot;
      this.#forgetPorts(snapshot);
      return { kind: 'applied' };
    } finally {
      this.#next = null;
      this.#catchUp();
    }
  }

  /** Puts a config on trial on every worker, those that come later too; null ends the trial. */
  setCanary(plan: CanaryPlan | null): void {
    this.#canary = plan;
    for (const lane of this.#lanes) lane.thread?.post({ kind: 'canary', plan });
  }

  reopenLogs(): void {
    for (const lane of this.#lanes) lane.thread?.post({ kind: 'reopen-log' });
  }

  /**
   * Lets every thread finish what it has, for at most `timeoutMs`, then ends them all. Called again with a shorter time
   * it ends a drain that is under way.
   */
  async drain(timeoutMs: number): Promise<void> {
    this.#ending = true;
    const serving = this.#lanes.filter((lane) => lane.phase === 'serving' || lane.phase === 'draining');
    for (const lane of serving) lane.phase = 'draining';
    await Promise.all(serving.map(async (lane) => lane.thread?.drain(timeoutMs, timeoutMs + DRAIN_GRACE_MS)));
    await this.#terminate('drained');
  }

  async #terminate(reason: string): Promise<void> {
    this.#ending = true;
    for (const lane of this.#lanes) lane.restart?.clear();
    const ended = await Promise.all(this.#lanes.map(async (lane) => (await lane.thread?.terminate(reason)) ?? true));
    for (const [index, lane] of this.#lanes.entries()) lane.phase = ended[index] === true ? 'stopped' : 'stuck';
  }

  async #launch(lane: Lane, snapshot: Snapshot, { replace }: { readonly replace: boolean }): Promise<ApplyAnswer> {
    if (this.#ending) return { kind: 'lost', reason: 'the gateway is ending' };
    lane.phase = 'starting';
    let thread: WorkerThread;
    try {
      thread = this.#startThread(lane, snapshot, replace);
    } catch (error) {
      // The machine has no thread or memory to give; it may have later.
      const reason = `could not be started: ${error instanceof Error ? error.message : String(error)}`;
      this.#lose(lane, reason, replace);
      return { kind: 'lost', reason };
    }
    lane.thread = thread;
    const answer = await thread.started(ANSWER_MS);
    if (lane.thread !== thread) return answer;
    if (answer.kind === 'applied') this.#serves(lane, snapshot.version, answer.ports);
    else await thread.terminate(failure(answer).message);
    return answer;
  }

  #startThread(lane: Lane, snapshot: Snapshot, replace: boolean): WorkerThread {
    const thread: WorkerThread = new WorkerThread({
      entry: this.#options.entry,
      start: { lane: lane.number, snapshot, ports: this.#ports },
      resourceLimits: this.#options.resourceLimits,
      clock: this.#options.clock,
      onRowFull: this.#options.onRowFull,
      onSpans: this.#options.onSpans,
      onNotice: (level, message) => {
        if (this.#notices.isNews(lane.number, message, this.#options.clock.nowMs()))
          this.#options.onNotice(level, message);
      },
      onEnd: (reason) => {
        if (lane.thread === thread) this.#lose(lane, reason, replace);
      },
    });
    return thread;
  }

  #serves(lane: Lane, version: number, ports: Readonly<Record<string, number>>): void {
    this.#learnPorts(ports);
    lane.version = version;
    if (this.#ending) return;
    lane.phase = 'serving';
    lane.servingSinceMs = this.#options.clock.nowMs();
    if (lane.lastLoss !== null) this.#options.onReplaced(lane.number);
    if (this.#canary !== null) lane.thread?.post({ kind: 'canary', plan: this.#canary });
    this.#catchUp();
  }

  /** Takes the loss of a lane's thread, and plans the next unless `replace` is false and it never served. */
  #lose(lane: Lane, reason: string, replace: boolean): void {
    const { clock, random } = this.#options;
    const stable = lane.phase === 'serving' && clock.nowMs() - lane.servingSinceMs >= STABLE_MS;
    lane.thread = null;
    this.#options.clearLane(lane.number);
    if (this.#ending || (!replace && lane.phase === 'starting')) {
      lane.phase = 'stopped';
      return;
    }
    if (lane.phase === 'serving') this.#lastLossMs = clock.nowMs();
    lane.phase = 'waiting';
    lane.lossesInRow = stable ? 0 : lane.lossesInRow;
    lane.lastLoss = reason;
    const delayMs = restartDelayMs(lane.lossesInRow, random);
    lane.lossesInRow += 1;
    // ref: with every worker lost, this timer is what keeps the process there to replace them.
    lane.restart = clock.after(delayMs, () => this.#restart(lane), { ref: true });
    this.#options.onLost(lane.number, reason, delayMs);
  }

  #restart(lane: Lane): void {
    lane.restart = null;
    if (this.#ending || this.#current === null || lane.phase !== 'waiting') return;
    lane.restarts += 1;
    void this.#launch(lane, this.#current, { replace: true });
  }

  async #applyTo(serving: readonly Lane[], snapshot: Snapshot): Promise<ApplyOutcome | null> {
    const [first, ...others] = serving;
    let answers = [await this.#give(first!, snapshot)];
    if (answers[0]!.kind === 'applied') {
      answers = answers.concat(await Promise.all(others.map((lane) => this.#give(lane, snapshot))));
    }
    const bad = answers.find((answer): answer is Setback => answer.kind !== 'applied');
    if (bad === undefined) return null;
    const old = this.#current!;
    const took = serving.filter((lane, index) => answers[index]?.kind === 'applied');
    await Promise.all(took.map((lane) => this.#giveOrEnd(lane, old)));
    const error = failure(bad);
    return { kind: 'refused', code: error.code, reason: error.message };
  }

  /** With no lane serving, one is started with the new config: it may be the very config that heals them. */
  async #applyToNone(snapshot: Snapshot): Promise<ApplyOutcome | null> {
    const lane = this.#lanes.find((candidate) => candidate.phase === 'waiting') ?? this.#lanes[0]!;
    lane.restart?.clear();
    const old = lane.thread;
    lane.thread = null;
    await old?.terminate('a new config came');
    if (old !== null) this.#options.clearLane(lane.number);
    const answer = await this.#launch(lane, snapshot, { replace: true });
    if (answer.kind === 'applied') return null;
    const error = failure(answer);
    return { kind: 'refused', code: error.code, reason: error.message };
  }

  async #give(lane: Lane, snapshot: Snapshot): Promise<ApplyAnswer> {
    const { thread } = lane;
    if (thread === null) return { kind: 'lost', reason: lane.lastLoss ?? 'ended' };
    const answer = await thread.apply({ kind: 'apply', snapshot, ports: this.#ports }, ANSWER_MS);
    if (answer.kind === 'applied') {
      lane.version = snapshot.version;
      this.#learnPorts(answer.ports);
    } else if (answer.kind === 'silent') {
      // Neither old nor new is certain for a worker that hangs: a fresh one is.
      await thread.terminate(failure(answer).message);
    }
    return answer;
  }

  /** For a config that was taken before: a worker that refuses it now is replaced by one that starts with it. */
  async #giveOrEnd(lane: Lane, snapshot: Snapshot): Promise<void> {
    const { thread } = lane;
    const answer = await this.#give(lane, snapshot);
    if (answer.kind === 'refused') await thread?.terminate(failure(answer).message);
  }

  #catchUp(): void {
    const current = this.#current;
    if (this.#next !== null || this.#ending || current === null) return;
    for (const lane of this.#lanes) {
      if (lane.phase !== 'serving' || lane.version === current.version) continue;
      lane.version = current.version;
      void this.#giveOrEnd(lane, current);
    }
  }

  #learnPorts(ports: Readonly<Record<string, number>>): void {
    this.#ports = { ...this.#ports, ...ports };
  }

  #forgetPorts(snapshot: Snapshot): void {
    const ids = new Set(snapshot.listeners.map((listener) => listener.id));
    this.#ports = Object.fromEntries(Object.entries(this.#ports).filter(([id]) => ids.has(id)));
  }
}

function newLane(number: number): Lane {
  return {
    number,
    thread: null,
    phase: 'stopped',
    version: 0,
    servingSinceMs: 0,
    restarts: 0,
    lossesInRow: 0,
    lastLoss: null,
    restart: null,
  };
}

function failure(answer: Setback): SpillwayError {
  switch (answer.kind) {
    case 'refused':
      return new SpillwayError(LISTEN_CODES.has(answer.code) ? 'LISTEN_FAILED' : 'WORKER_FAILED', answer.message);
    case 'lost':
      return new SpillwayError('WORKER_FAILED', `A worker was lost while it took the config: ${answer.reason}.`);
    case 'silent':
      return new SpillwayError('WORKER_FAILED', `A worker did not answer within ${answer.waitedMs} ms.`);
    default:
      return answer satisfies never;
  }
}
