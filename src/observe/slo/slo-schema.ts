/**
 * The short form: what `defineSlo` takes, and a YAML file without `apiVersion`. One service, its objectives. Rules that look
 * at two places at once are in `slo-rules.ts`.
 */
import * as z from 'zod';
import { formatDuration, parseDuration, parsePercentage } from '../../kernel/units.ts';
import type { Duration, Percentage } from '../../kernel/units.ts';
import { count, duration, flag, list, mapOf, name, section, text, type Problem } from '../../reading/values.ts';
import { DAY_MS, WINDOW_DAYS } from './burn-alerts.ts';
import { queryExpected, type QueryKind, windowed } from './promql.ts';

const windowExpected = `a whole number of days from ${WINDOW_DAYS.min}d to ${WINDOW_DAYS.max}d, such as 30d`;
const objectiveExpected =
  'a percentage above 0% and below 100%, such as 99.9%; at 100% there is no budget, and the first failure breaks it';

export type Read<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problem: Problem };

/** A share as OpenSLO (0.999) and Sloth (99.9) have it, of a percentage: without what binary fractions add. */
export function readObjective(percent: number): Read<number> {
  const share = Math.round(percent * 1e8) / 1e10;
  if (share > 0 && share < 1) return { ok: true, value: share };
  return { ok: false, problem: { expected: objectiveExpected } };
}

/** Milliseconds of a window. Takes `4w` as well, as OpenSLO does. */
export function readWindow(given: string): Read<number> {
  const weeks = /^(\d{1,2})w$/.exec(given)?.[1];
  const parsed = parseDuration(weeks === undefined ? given : `${Number(weeks) * 7}d`);
  const days = parsed.ok ? parsed.value / DAY_MS : null;
  if (days !== null && Number.isInteger(days) && days >= WINDOW_DAYS.min && days <= WINDOW_DAYS.max) {
    return { ok: true, value: days * DAY_MS };
  }
  // Nothing that would be refused in its turn.
  const guess = parsed.ok || parsed.suggestion === null ? null : readWindow(parsed.suggestion);
  const suggestion = guess?.ok === true ? formatDuration(guess.value) : null;
  return { ok: false, problem: { expected: windowExpected, suggestion } };
}

/** A schema of ours over a value of any kind: what is found is judged in one place, and the answer says what was expected. */
export function judged<Output, Input>(read: (given: unknown) => Read<Output>): z.ZodType<Output, Input> {
  const schema = z.unknown().transform((given, context): Output => {
    const answer = read(given);
    if (answer.ok) return answer.value;
    context.addIssue({ code: 'custom', params: { ...answer.problem } });
    return z.NEVER;
  });
  return schema as unknown as z.ZodType<Output, Input>;
}

function objective(): z.ZodType<number, Percentage> {
  return judged((given) => {
    const parsed = typeof given === 'string' ? parsePercentage(given) : null;
    if (parsed?.ok === true) return readObjective(parsed.value * 100);
    const suggestion =
      typeof given === 'number' && given > 0 && given < 100 ? `${given}%` : (parsed?.suggestion ?? null);
    return { ok: false, problem: { expected: objectiveExpected, suggestion } };
  });
}

export function query(kind: QueryKind): z.ZodType<string, string> {
  return judged((given) => {
    const value = typeof given === 'string' && given.length <= 4096 ? windowed(given, kind) : null;
    return value === null ? { ok: false, problem: { expected: queryExpected[kind] } } : { ok: true, value };
  });
}

/** Names that Prometheus lets a label have; `__` is its own. */
const labelName = text('a label name of letters, digits and underscores', /^(?!__)[A-Za-z_]\w*$/, { max: 64 });
export const line = (what: string) => text(what, /^[^\p{Cc}]+$/u, { max: 1000 });
export const labels = () => mapOf(labelName, line('a text of one line'), 32);
export const description = () => text('a text', /\S/, { max: 2000 });

const requests = {
  service: name().optional().describe('The service in the config of the gateway. Default: the service of the file.'),
  route: name().optional().describe('Only requests of this route.'),
};

const target = () =>
  section({
    enabled: flag().prefault(true).describe('Whether there are such alerts.'),
    labels: labels().prefault({}).describe('Further labels of these alerts, such as a team.'),
    annotations: labels().prefault({}).describe('Further annotations of these alerts, such as a runbook.'),
  });

const sli = section({
  availability: section(requests)
    .optional()
    .describe('Of the gateway: bad is an answer with a 5xx status, or one that began and could not be finished.'),
  latency: section({
    under: duration({ min: 0.064 }).describe('How long an answer may take, such as `200ms`, from head to last byte.'),
    ...requests,
  })
    .optional()
    .describe('Of the gateway: bad is an answer that took longer.'),
  events: section({
    bad: query('count').optional().describe('Counts bad events. Either this or `good`.'),
    good: query('count').optional().describe('Counts good events.'),
    total: query('count').describe('Counts all events.'),
  })
    .optional()
    .describe('Counters in Prometheus, or PromQL over `$window`.'),
  ratio: section({ error: query('share').describe('The share of bad events over `$window`, from 0 to 1.') })
    .optional()
    .describe('PromQL that gives the share by itself.'),
});

const shareExpected = 'a percentage of the budget that is left, from 0% to 100%, such as 25%, or never';

/** Of the budget that is left; null for `never`. */
export function readBudgetShare(given: unknown): Read<number | null> {
  if (given === 'never') return { ok: true, value: null };
  const parsed = typeof given === 'string' ? parsePercentage(given) : null;
  if (parsed?.ok === true) return parsed;
  const guess = typeof given === 'number' && given >= 0 && given <= 100 ? `${given}%` : (parsed?.suggestion ?? null);
  return { ok: false, problem: { expected: shareExpected, suggestion: guess } };
}

/** Longer could not be known of every window. */
const HISTORY_DAYS_MAX = WINDOW_DAYS.min;
const historyExpected = `a duration from 0s to ${HISTORY_DAYS_MAX}d, such as 1h`;

/** How much must be known of a budget. */
export function readHistory(given: unknown): Read<number> {
  const parsed = typeof given === 'string' ? parseDuration(given) : null;
  if (parsed?.ok === true && parsed.value <= HISTORY_DAYS_MAX * DAY_MS) return parsed;
  return {
    ok: false,
    problem: { expected: historyExpected, suggestion: parsed?.ok === false ? parsed.suggestion : null },
  };
}

const budgetShare = () => judged<number | null, Percentage | 'never'>(readBudgetShare).optional();

const policy = () =>
  section({
    warn: budgetShare().describe('Somebody should look: at so much of the budget left. Default: 50%.'),
    review: budgetShare().describe('What is deployed should be looked at first. Default: 25%.'),
    freeze: budgetShare().describe('Nothing is deployed but rollbacks and security fixes. Default: 0%.'),
    history: judged<number, Duration>(readHistory)
      .optional()
      .describe('So much must be known of the window before it freezes, and before the gate says yes. Default: 1h.'),
  }).optional();

const slo = section({
  name: name().describe('Unique in the file; part of the names that rules and alerts go by.'),
  description: description().optional().describe('What it means to those who use the service.'),
  objective: objective().describe('Share of good events, above 0% and below 100%.'),
  window: judged<number, Duration>((given) => readWindow(String(given)))
    .prefault('30d')
    .describe(`Time it holds for, rolling: ${windowExpected}.`),
  sla: objective()
    .optional()
    .describe('What is promised to others; below the objective, so that alerts come before it is broken.'),
  sli: sli.describe('What is measured: exactly one kind.'),
  labels: labels().prefault({}).describe('On every rule and alert of this objective.'),
  alerts: section({
    page: target().prefault({}).describe('Those that wake somebody: 14.4 and 6 times too fast.'),
    ticket: target().prefault({}).describe('Those that can wait for the morning: 3 times and once.'),
    failuresMin: count(1, 1_000_000)
      .prefault(1)
      .describe(
        'Failures that an alert needs within its long window; against single failures where there is little traffic.',
      ),
  }).prefault({}),
  policy: policy().describe('What follows when the budget of this objective runs low.'),
});

export const sloSchema = section({
  service: name().describe('The service that promises.'),
  labels: labels().prefault({}).describe('On every rule and alert.'),
  policy: policy().describe('What follows when a budget runs low, unless an objective says otherwise.'),
  slos: list(slo, { what: 'objectives', min: 1, max: 100 }).describe('Its objectives.'),
});

/** What a person writes. */
export type SloInput = z.input<typeof sloSchema>;
export type SloValues = z.output<typeof sloSchema>;
