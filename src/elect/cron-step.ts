/**
 * What the leader of a cron does next, from what is written down and what the clock says: a pure step.
 *
 * Invariants:
 * - A tick is run only after it was written down as begun: `decidedMs` is then at least the tick, and only what is after it is due. So no
 *   tick is begun twice, whoever leads and whatever the clocks do; but for those that were interrupted, if that is what was asked for.
 * - Every tick after the beginning is decided in its order: begun, or skipped.
 * - One runs at a time. A run that another term began is over when this is asked: its leader lost the seat before this one got it.
 *
 * Source: what `concurrencyPolicy: Forbid` and `startingDeadlineSeconds` of Kubernetes CronJobs are for, without their gaps.
 */
import { SpillwayError } from '../kernel/errors.ts';
import { type CronLog, type CronRun, withRun, withRuns } from './cron-log.ts';
import type { Schedule } from './schedule.ts';

export interface CronRule {
  readonly name: string;
  readonly schedule: Schedule;
  readonly missed: 'skip' | 'last' | 'all';
  readonly interrupted: 'skip' | 'again';
  /** How late a tick may be begun that is not to be caught up with. */
  readonly graceMs: number;
}

export interface Leader {
  readonly term: bigint;
  readonly holder: string;
}

/** A log that comes with it is written first. */
export type Step =
  | { readonly kind: 'wait'; readonly untilMs: number | null }
  | { readonly kind: 'write'; readonly log: CronLog }
  | { readonly kind: 'run'; readonly log: CronLog; readonly run: CronRun };

/** As many as are caught up with: a bound on what follows an outage. */
const MISSED_MAX = 100;
/** Of a long stretch of skipped ticks the last are written down, so that runs stay to be seen beside them. */
const SKIPPED_MAX = 10;
/** A tick that ended three leaders is not given to a fourth. */
const ATTEMPTS_MAX = 3;
/** More than clocks of machines that are looked after differ by. */
const AHEAD_MS_MAX = 3_600_000;

/** At the beginning nothing is caught up with: `log` is null until something is written down. */
export function step(log: CronLog | null, rule: CronRule, leader: Leader, nowMs: number): Step {
  if (log === null) return { kind: 'write', log: { decidedMs: Math.floor(nowMs), runs: [] } };
  if (log.decidedMs > nowMs + AHEAD_MS_MAX) throw ahead(rule.name, log.decidedMs, nowMs);
  const left = log.runs.findLast(({ state }) => state === 'running');
  if (left !== undefined) return takeOver(log, left, rule, leader, nowMs);
  const due = rule.schedule.last(MISSED_MAX + 1, log.decidedMs, nowMs);
  const newestMs = due.at(-1);
  if (newestMs === undefined) {
    return { kind: 'wait', untilMs: rule.schedule.next(Math.max(log.decidedMs, nowMs)) };
  }
  const tickMs = chosen(due, log, rule, nowMs);
  const skipped = due
    .filter((ms) => tickMs === null || ms < tickMs)
    .slice(-SKIPPED_MAX)
    .map((ms) => skip(ms, leader));
  if (tickMs === null) return { kind: 'write', log: withRuns(log, newestMs, skipped) };
  const run = begin(new Date(tickMs), 1, leader, nowMs);
  return { kind: 'run', log: withRuns(log, tickMs, [...skipped, run]), run };
}

/** The log after the run has come to an end; without an error, it is done. */
export function finish(log: CronLog, run: CronRun, error: string | null, nowMs: number): CronLog {
  return withRun(log, { ...run, state: error === null ? 'done' : 'failed', ended: new Date(nowMs), error });
}

/** Which of the ticks that are due is begun, if any. */
function chosen(due: readonly number[], log: CronLog, rule: CronRule, nowMs: number): number | null {
  const newestMs = due.at(-1)!;
  switch (rule.missed) {
    case 'all':
      return due.length > MISSED_MAX ? due[1]! : due[0]!;
    case 'last':
      return newestMs;
    case 'skip':
      return nowMs - newestMs > rule.graceMs || wasBusy(log, newestMs) ? null : newestMs;
    default:
      return rule.missed satisfies never;
  }
}

/** Whether another ran when the tick came. */
function wasBusy({ runs }: CronLog, tickMs: number): boolean {
  const last = runs.findLast(({ state }) => state === 'done' || state === 'failed');
  return last !== undefined && last.started!.getTime() < tickMs && tickMs <= last.ended!.getTime();
}

/** Somebody began a run and did not live, or lead, to its end. */
function takeOver(log: CronLog, left: CronRun, rule: CronRule, leader: Leader, nowMs: number): Step {
  if (rule.interrupted === 'again' && left.attempts < ATTEMPTS_MAX) {
    const run = begin(left.tick, left.attempts + 1, leader, nowMs);
    return { kind: 'run', log: withRun(log, run), run };
  }
  return { kind: 'write', log: withRun(log, { ...left, state: 'interrupted', ended: new Date(nowMs) }) };
}

function begin(tick: Date, attempts: number, { term, holder }: Leader, nowMs: number): CronRun {
  return { tick, state: 'running', attempts, term, holder, started: new Date(nowMs), ended: null, error: null };
}

function skip(tickMs: number, { term, holder }: Leader): CronRun {
  const tick = new Date(tickMs);
  return { tick, state: 'skipped', attempts: 0, term, holder, started: null, ended: null, error: null };
}

function ahead(name: string, decidedMs: number, nowMs: number): SpillwayError {
  const [decided, now] = [decidedMs, nowMs].map((ms) => new Date(ms).toISOString());
  return new SpillwayError(
    'CRON_RECORD',
    `By the record of the cron “${name}”, everything up to ${decided} is decided, and the clock of this machine says ${now}: ` +
      'one of the two machines has its clock wrong. Set it; and if it was the other, delete the record, so that it begins anew.',
  );
}
