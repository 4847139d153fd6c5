/** What `spillway slo check` says of an objective, in lines for people. Pure. */
import type { AlertVerdict, SloVerdict } from '../observe/index.ts';
import type { CalendarVerdict } from '../observe/slo/judge.ts';
import { formatObjective } from '../observe/slo/objective.ts';
import { formatPolicy } from '../observe/slo/policy.ts';
import { promDuration } from '../observe/slo/promql.ts';
import type { Paint } from './terminal.ts';

export function verdictLines(verdict: SloVerdict, rate: number | null, paint: Paint): readonly string[] {
  const { id, objective, windowDays, calendar, underS, policy, alerts, detection, canPage } = verdict;
  return [
    paint('strong', `${id}: ${formatObjective(objective)} over ${calendar?.window ?? `${windowDays} days`}`),
    ...(calendar === null ? [] : calendarLines(calendar, windowDays)),
    ...(underS === null ? [] : [`  bad     an answer that takes longer than ${round(underS * 1000, 3)} ms`]),
    `  budget  ${budgetText(verdict, rate)}`,
    `  policy  ${formatPolicy(policy)}`,
    ...alerts.map((alert) => `  ${alertText(alert, paint)}`),
    ...detection.map(({ failing, pageS, alertS }) => {
      const what = failing === 1 ? 'a total outage' : `${formatObjective(failing)} failing`;
      if (pageS !== null) return `  ${what} pages after ${timeText(pageS)}`;
      return alertS === null
        ? `  ${what} never pages, nor opens a ticket`
        : `  ${what} opens a ticket after ${timeText(alertS)}, and never pages`;
    }),
    ...lowTraffic(verdict, paint),
    ...(canPage ? [] : [paint('bad', '  nothing that fails could wake anybody')]),
    '',
  ];
}

function calendarLines({ start, alertDays, turnS, knownUntilMs }: CalendarVerdict, days: number): readonly string[] {
  const until =
    knownUntilMs === null ? '' : `, and the periods until ${new Date(knownUntilMs).toISOString().slice(0, 10)}`;
  return [
    `  window  begins anew as from ${start}, with a whole budget; of ${days} days below`,
    `  alerts  look back over windows that roll, as of ${alertDays} days, and not only to the beginning of a period`,
    `  rules   know when a period begins to ${promDuration(turnS)}${until}`,
  ];
}

function budgetText({ budget, sla }: SloVerdict, rate: number | null): string {
  const { minutes, slaMinutes, requestsPerFailure, failures } = budget;
  const parts = [`${round(minutes)} min of total outage`, `1 failure in ${round(requestsPerFailure)} requests`];
  if (failures !== null && rate !== null) parts.push(`${failures} failures at ${rate}/s`);
  if (sla !== null && slaMinutes !== null) parts.push(`SLA ${formatObjective(sla)}: ${round(slaMinutes)} min`);
  return parts.join(', ');
}

function alertText({ severity, burn, longS, shortS, threshold, enabled, outageS }: AlertVerdict, paint: Paint): string {
  const windows = `${promDuration(longS)} and ${promDuration(shortS)}`;
  const name = `${severity.padEnd(6)}  ${burn}× over ${windows}`;
  if (!enabled) return paint('dim', `${name}: turned off`);
  if (outageS === null) {
    return paint(
      'warn',
      `${name}: can never fire, it needs ${formatObjective(threshold)} of requests to fail; left out`,
    );
  }
  return `${name}: above ${formatObjective(threshold)} failing, a total outage for ${timeText(outageS)}`;
}

function lowTraffic({ alerts }: SloVerdict, paint: Paint): readonly string[] {
  const pages = alerts.filter(({ severity, requestsMax }) => severity === 'page' && requestsMax > 0);
  return pages
    .slice(0, 1)
    .map(({ requestsMax, longS }) =>
      paint('warn', `  with ${requestsMax} requests in ${promDuration(longS)} or fewer, one failure pages`),
    );
}

function round(value: number, digits = 2): string {
  return String(Number(value.toFixed(digits)));
}

/** `51.84 s`, `8 min 38 s`, `3 h 36 min`, `1 d 2 h`. */
export function timeText(seconds: number): string {
  if (seconds < 60) return `${round(seconds)} s`;
  const units = [
    [86_400, 'd'],
    [3600, 'h'],
    [60, 'min'],
    [1, 's'],
  ] as const;
  let left = Math.round(seconds);
  const words: string[] = [];
  for (const [size, unit] of units) {
    const amount = Math.floor(left / size);
    left -= amount * size;
    if (amount > 0) words.push(`${amount} ${unit}`);
  }
  return words.slice(0, 2).join(' ');
}
