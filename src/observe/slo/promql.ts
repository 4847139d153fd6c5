/** PromQL as text: quoting, durations, and the window that a query of a user looks back over. Pure. */

/** A string of PromQL, whose escapes are those of Go. */
export function quoted(text: string): string {
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`;
}

const unitsS = { d: 86_400, h: 3600, m: 60, s: 1 } as const;

/** A duration as PromQL writes it: `1h`, `4m40s`. Of whole seconds. */
export function promDuration(seconds: number): string {
  let left = Math.round(seconds);
  let text = '';
  for (const [unit, size] of Object.entries(unitsS)) {
    const amount = Math.floor(left / size);
    left -= amount * size;
    if (amount > 0) text += `${amount}${unit}`;
  }
  return text === '' ? '0s' : text;
}

/** What a query of a user gives: a counter that grows, an amount that goes up and down, or a share between 0 and 1 by itself. */
export type QueryKind = 'count' | 'amount' | 'share';

/** What a user's query must be, for messages. */
export const queryExpected: Readonly<Record<QueryKind, string>> = {
  count: 'a counter such as http_requests_total{job="shop"}, or an expression over [$window]',
  amount: 'a metric such as jobs_waiting{queue="mail"}, or an expression',
  share: 'a metric that is a share, such as stock_is_stale{job="shop"}, or an expression over [$window]',
};

/** Of a metric that stands there as it is. */
const whole: Readonly<Record<QueryKind, (metric: string) => string>> = {
  count: (metric) => `sum(rate(${metric}[$window]))`,
  // What was there for a minute weighs a minute: the sum of each moment, and not of means.
  amount: (metric) => meanOf(`sum(${metric})`),
  share: (metric) => `avg(avg_over_time(${metric}[$window]))`,
};

const selector = /^[a-zA-Z_:][\w:]*(\{(?:[^{}"]|"(?:[^"\\]|\\.)*")*\})?$/;

/**
 * A query of a user as one over `$window`: a counter becomes its rate, summed, a share its mean; Sloth's `{{.window}}` is the same as `$window`.
 * Null if it says nothing of the time it looks back over, so that it would be the same in all windows.
 */
export function windowed(query: string, kind: QueryKind): string | null {
  const text = query.trim().replaceAll(/\{\{\s*\.window\s*\}\}/g, '$window');
  if (text.includes('$window')) return ended(text);
  if (selector.test(text)) return whole[kind](text);
  return kind === 'amount' && text !== '' ? meanOf(ended(text)) : null;
}

/** A comment in its last line ends there, and not what is put around it. */
function ended(text: string): string {
  return text.includes('#') ? `${text}\n` : text;
}

/** How often a query is asked for what it gives at a moment: as often as the shortest window of all needs to have four of them. */
const MOMENT_S = 30;

/** The mean over `$window` of what a query gives at each moment. */
function meanOf(query: string): string {
  return `avg_over_time((${query})[$window:${promDuration(MOMENT_S)}])`;
}

export type Comparison = 'lte' | 'lt' | 'gte' | 'gt';

const beyond: Readonly<Record<Comparison, string>> = { lte: '>', lt: '>=', gte: '<', gt: '<=' };

/**
 * The share of moments of `$window` at which a value is not as it should be; of several series, the mean of theirs. What is not a number, as a
 * quantile of nothing, is no moment.
 */
export function shareBeyond(query: string, op: Comparison, value: number): string {
  return meanOf(`avg(((${ended(query.trim())}) >= -Inf) ${beyond[op]} bool ${value})`);
}

/** Whether a query gives a value of a moment: it does not look back over the window itself. */
export function isOfMoment(query: string): boolean {
  return !/\$window|\{\{\s*\.window\s*\}\}/.test(query);
}
export function over(query: string, seconds: number): string {
  return query.replaceAll('$window', promDuration(seconds));
}
