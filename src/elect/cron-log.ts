/**
 * What is written down of a cron: up to which tick everything is decided, and the last runs. It is the value of one key of a fenced register,
 * as JSON; at most some 60 kB, typically 15.
 */
import { SpillwayError } from '../kernel/errors.ts';

export interface CronRun {
  /** When it was due. */
  readonly tick: Date;
  /**
   * `interrupted`: whoever ran it did not lead to the end, so nobody knows how far it came. `skipped`: it was not begun, because it came while
   * another ran, or nobody led at its time.
   */
  readonly state: 'running' | 'done' | 'failed' | 'interrupted' | 'skipped';
  /** How often it was begun: 0 if it was skipped, more than 1 if it was begun again after an interruption. */
  readonly attempts: number;
  /** The term in which this was written, and who led. */
  readonly term: bigint;
  readonly holder: string;
  readonly started: Date | null;
  readonly ended: Date | null;
  /** What the work threw, if it failed. */
  readonly error: string | null;
}

export interface CronLog {
  /** Ticks up to here are decided: they were begun or skipped, or were before the beginning. Never goes back. */
  readonly decidedMs: number;
  /** At most `RUNS_MAX`, the newest last. */
  readonly runs: readonly CronRun[];
}

/** Enough to see what happened last night; every write carries them all. */
const RUNS_MAX = 100;
const ERROR_LENGTH_MAX = 300;
const VERSION = 1;

export function withRuns({ decidedMs, runs }: CronLog, untilMs: number, added: readonly CronRun[]): CronLog {
  return { decidedMs: Math.max(decidedMs, untilMs), runs: [...runs, ...added].slice(-RUNS_MAX) };
}

/** With the run of the same tick replaced. */
export function withRun(log: CronLog, run: CronRun): CronLog {
  const at = log.runs.findLastIndex(({ tick }) => tick.getTime() === run.tick.getTime());
  return { ...log, runs: log.runs.with(at, run) };
}

/** Of whatever was thrown, also of what is no text and has none. */
export function errorText(error: unknown): string {
  try {
    const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    return text.slice(0, ERROR_LENGTH_MAX);
  } catch {
    return `${typeof error} without a text`;
  }
}

export function encodeLog({ decidedMs, runs }: CronLog): string {
  const decided = new Date(decidedMs).toISOString();
  return JSON.stringify({ version: VERSION, decided, runs: runs.map((run) => ({ ...run, term: String(run.term) })) });
}

export function decodeLog(name: string, text: string): CronLog {
  try {
    const { version, decided, runs } = JSON.parse(text) as Encoded;
    if (version !== VERSION) throw new RangeError(`its version is ${String(version)}, and this reads ${VERSION}`);
    return { decidedMs: timeOf(decided).getTime(), runs: runs.map((run) => decodeRun(run)) };
  } catch (cause) {
    throw new SpillwayError('CRON_RECORD', `The record of the cron “${name}” cannot be read: ${errorText(cause)}.`, {
      cause,
    });
  }
}

interface Encoded {
  readonly version: number;
  readonly decided: string;
  readonly runs: readonly EncodedRun[];
}

type EncodedRun = Omit<CronRun, 'term' | 'tick' | 'started' | 'ended'> & {
  readonly term: string;
  readonly tick: string;
  readonly started: string | null;
  readonly ended: string | null;
};

function decodeRun({ tick, term, started, ended, ...run }: EncodedRun): CronRun {
  return {
    ...run,
    tick: timeOf(tick),
    term: BigInt(term),
    started: started === null ? null : timeOf(started),
    ended: ended === null ? null : timeOf(ended),
  };
}

function timeOf(text: string): Date {
  const time = new Date(text);
  if (Number.isNaN(time.getTime())) throw new RangeError(`${JSON.stringify(text)} is no time`);
  return time;
}
