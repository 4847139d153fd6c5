/**
 * A schedule that runs once per tick across any number of instances: the leader of the seat `cron:NAME` takes the steps of cron-step.ts, and
 * writes each into a fenced register before it acts.
 *
 * Invariants:
 * - Work is begun only after the register took the record of it with this term, and this process still leads by both clocks. A leader that is none
 *   any more can start nothing: a newer term has written, or its own lease is over.
 * - Of one term, no write overtakes another: a write whose answer was lost is repeated as it is until it is answered or the cron ends, and the
 *   term left soon after, so that what may still be under way has a smaller token than whatever follows.
 *
 * Cost: two writes a tick, and the lease. What it is not: exactly once, which nobody can have. A leader that is killed while the work runs
 * leaves it half done; `interrupted` says whether it is begun again, and `term` lets the resource refuse what comes late.
 */
import type { Clock } from '../kernel/clock.ts';
import { SpillwayError } from '../kernel/errors.ts';
import { checkDuration, checkFunction, checkKeys, checkParts, invalid, textOfGiven } from '../kernel/options.ts';
import type { Random } from '../kernel/random.ts';
import type { Duration } from '../kernel/units.ts';
import type { FencedRegister } from '../lease/fenced.ts';
import { type CronLog, type CronRun, decodeLog, encodeLog, errorText } from './cron-log.ts';
import { type CronRule, finish, step } from './cron-step.ts';
import { answered, Retry, sleep } from './retry.ts';
import { createSchedule, type ScheduleOption } from './schedule.ts';
import { type Leading, TTL_DEFAULT, TTL_MS_MAX } from './term.ts';

export interface CronOptions {
  /** Of this cron, the same in all instances: its seat and its record are `cron:NAME`. */
  readonly name: string;
  /** A cron expression of five fields, six with seconds first, or `@daily` and its like; or `{ every: '30s' }`, counted from the epoch. */
  readonly schedule: ScheduleOption;
  /** Whose clocks an expression means, such as `'Europe/Berlin'`. @defaultValue 'UTC' */
  readonly timeZone?: string;
  /**
   * Where runs are written down; as lasting as the promise that a tick does not run twice has to be. An error of it is one that may pass, and it is
   * asked again, unless it is a `SpillwayError` that is not `retryable`.
   */
  readonly runs: FencedRegister;
  /**
   * What becomes of ticks that could not be begun at their time, because another ran or nobody led: `'skip'` leaves them out (two ttl are not
   * late, so that a hand-over loses none), `'last'` runs the newest of them, `'all'` each of them, in their order, at most the last 100.
   * @defaultValue 'skip'
   */
  readonly missed?: 'skip' | 'last' | 'all';
  /** Whether a run whose leader was killed, or lost its term, is begun `'again'`, up to three times in all. @defaultValue 'skip' */
  readonly interrupted?: 'skip' | 'again';
  /** How long a leader that died is still taken for one. @defaultValue '15s' */
  readonly ttl?: Duration | number;
  /** Ends it: the work is told, awaited, and the seat is left to the next. */
  readonly signal?: AbortSignal;
}

/** What the work of a cron is given. */
export interface CronTick extends Leading {
  /** When it was due, which is some milliseconds ago, or longer if it was missed. */
  readonly tick: Date;
  /** 1, or more if it is begun again. */
  readonly attempt: number;
}

export type CronWork = (tick: CronTick) => Promise<unknown>;

/** What a cron needs of the elections it is part of. */
export interface CronContext {
  readonly clock: Clock;
  readonly random: Random;
  readonly timeoutMs: number;
  readonly holder: string;
  /** Runs the work in one term after the other, until it resolves. */
  readonly lead: (seat: string, work: (leading: Leading) => Promise<void>) => Promise<void>;
}

/** The clock on the wall may be set, and a machine be suspended, while a timer runs. */
const LOOK_MS = 10_000;
/** Longer than the death of a leader keeps a seat empty, which is the ttl and a third. */
const GRACE_TTLS = 2;

/** Resolves when the signal is aborted and the work has ended. */
export async function runCron(context: CronContext, options: CronOptions, work: CronWork): Promise<void> {
  checkFunction('cron: work', work);
  const { signal } = options;
  const cron = new Cron(context, options, work);
  const retry = new Retry(context);
  try {
    for (;;) {
      signal?.throwIfAborted();
      await context.lead(seatOf(options.name), (leading) => cron.lead(leading));
      // It left of its own accord, and the next term may be its own again.
      await retry.pause(signal);
    }
  } catch (error) {
    if (signal?.aborted !== true) throw error;
  }
}

/** The last hundred runs of a cron and what was skipped, the newest last. */
export async function cronRuns(
  register: FencedRegister,
  name: string,
  options: { readonly signal?: AbortSignal } = {},
): Promise<readonly CronRun[]> {
  checkParts('cronRuns: register', register, 'a fenced register, such as memoryRegister()', ['read', 'write']);
  checkName('cronRuns: name', name);
  const record = await register.read(seatOf(name), options);
  return record === null ? [] : decodeLog(name, record.value).runs;
}

class Cron {
  readonly #context: CronContext;
  readonly #register: FencedRegister;
  readonly #rule: CronRule;
  readonly #work: CronWork;

  constructor(context: CronContext, options: CronOptions, work: CronWork) {
    this.#context = context;
    this.#register = options.runs;
    this.#rule = ruleOf(options);
    this.#work = work;
  }

  /** One term, until it is lost, or better left. */
  async lead(leading: Leading): Promise<void> {
    const { clock, holder } = this.#context;
    const record = new CronRecord(this.#context, this.#register, this.#rule.name, leading);
    let log = await record.read();
    for (;;) {
      leading.signal.throwIfAborted();
      const nowMs = clock.wallMs();
      const next = step(log, this.#rule, { term: leading.term, holder }, nowMs);
      if (next.kind === 'wait') {
        const waitMs = Math.min((next.untilMs ?? Infinity) - nowMs, LOOK_MS);
        await sleep(clock, waitMs, leading.signal);
        continue;
      }
      if (!(await record.write(next.log))) return;
      log = next.log;
      if (next.kind === 'run') {
        const error = await this.#run(next.run, leading);
        log = finish(log, next.run, error, clock.wallMs());
        if (!(await record.write(log))) return;
      }
      if (record.isUnsure) return;
    }
  }

  /** What the work threw, as text; null if it is done. */
  async #run({ tick, attempts }: CronRun, leading: Leading): Promise<string | null> {
    leading.assertLeader();
    try {
      await this.#work({ ...leading, tick, attempt: attempts });
      return null;
    } catch (error) {
      // It was told to stop, so it is no failure: whoever leads next finds it interrupted.
      if (leading.signal.aborted) throw error;
      return errorText(error);
    }
  }
}

/** The record of a cron in the hands of one term. */
class CronRecord {
  readonly #context: CronContext;
  readonly #register: FencedRegister;
  readonly #name: string;
  readonly #leading: Leading;
  readonly #retry: Retry;
  #isUnsure = false;

  constructor(context: CronContext, register: FencedRegister, name: string, leading: Leading) {
    this.#context = context;
    this.#register = register;
    this.#name = name;
    this.#leading = leading;
    this.#retry = new Retry(context);
  }

  /** Whether a write of this term may still be under way. */
  get isUnsure(): boolean {
    return this.#isUnsure;
  }

  async read(): Promise<CronLog | null> {
    const { signal } = this.#leading;
    const ask = (given: AbortSignal): ReturnType<FencedRegister['read']> =>
      this.#register.read(seatOf(this.#name), { signal: given });
    const record = await this.#retry.until(() => this.#asked(ask, signal), signal);
    return record === null ? null : decodeLog(this.#name, record.value);
  }

  /**
   * False if a newer term has written. After the cron was told to end it is asked once more, to say how the work ended, and then left
   * unanswered: whoever leads next finds the run interrupted.
   */
  write(log: CronLog): Promise<boolean> {
    const { term, assertLeader, signal: end } = this.#leading;
    const fenced = { value: encodeLog(log), token: term };
    const ask = (signal: AbortSignal): Promise<boolean> => this.#register.write(seatOf(this.#name), fenced, { signal });
    const write = (): Promise<boolean> => {
      assertLeader();
      return this.#asked(ask);
    };
    return this.#retry.until(write, undefined, () => {
      this.#isUnsure = true;
      end.throwIfAborted();
    });
  }

  /** A register may be anybody's: an error that says nothing of itself may be a line that broke. */
  async #asked<T>(ask: (signal: AbortSignal) => Promise<T>, signal?: AbortSignal): Promise<T> {
    try {
      return await answered(this.#context, ask, signal);
    } catch (error) {
      if (error instanceof SpillwayError) throw error;
      const message = `The register of the cron “${this.#name}” failed: ${errorText(error)}`;
      throw new SpillwayError('STORE_UNAVAILABLE', message, { cause: error, retryable: true });
    }
  }
}

function ruleOf(options: CronOptions): CronRule {
  checkKeys('cron', options, [
    'name',
    'schedule',
    'timeZone',
    'runs',
    'missed',
    'interrupted',
    'ttl',
    'signal',
  ] satisfies (keyof CronOptions)[]);
  const { name, schedule, timeZone = 'UTC', runs, missed = 'skip', interrupted = 'skip', ttl = TTL_DEFAULT } = options;
  checkName('cron: name', name);
  if (typeof runs?.read !== 'function' || typeof runs.write !== 'function') {
    throw invalid(
      'cron: runs is no fenced register; expected one of spillway/lease, or an object with read and write.',
    );
  }
  if (!['skip', 'last', 'all'].includes(missed)) {
    throw invalid(`cron: missed is “${missed}”; expected skip, last or all.`);
  }
  if (!['skip', 'again'].includes(interrupted)) {
    throw invalid(`cron: interrupted is “${interrupted}”; expected skip or again.`);
  }
  const graceMs = GRACE_TTLS * checkDuration('cron: ttl', ttl, 1, TTL_MS_MAX);
  return { name, schedule: createSchedule(schedule, timeZone), missed, interrupted, graceMs };
}

function checkName(what: string, name: unknown): void {
  if (typeof name !== 'string' || name === '') throw invalid(`${what} is ${textOfGiven(name)}; expected a text.`);
}

function seatOf(name: string): string {
  return `cron:${name}`;
}
