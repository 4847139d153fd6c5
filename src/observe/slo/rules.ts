/**
 * Recording rules and alerts for Prometheus. Pure and deterministic: the same objectives give the same text.
 *
 * Names are those of Sloth (`slo:sli_error:ratio_rate1h`, …), which boards and people know. Differences that matter: the share
 * over the whole window is of events, so an hour with little traffic weighs little, where a mean of shares would let it weigh as
 * much as any other; without traffic there is no share, and no alert; a counter of failures that does not exist yet is
 * none. One group an objective, evaluated in order, so that an alert sees what was recorded at the same moment.
 */
import { alertWindowsS, type BurnAlert, DAY_MS, firingAlerts } from './burn-alerts.ts';
import { errorBudget, formatObjective, formatWindow, sloId, type Slo } from './objective.ts';
import { periodQueries, periodRecords, type PeriodSums, periodSums } from './period-rules.ts';
import { over, promDuration, quoted } from './promql.ts';
import { idLabels, type LabelNames, type RuleLabels } from './rule-labels.ts';

export interface RecordingRule {
  readonly record: string;
  readonly expr: string;
  readonly labels: RuleLabels;
}

export interface AlertingRule {
  readonly alert: string;
  readonly expr: string;
  readonly labels: RuleLabels;
  readonly annotations: Readonly<Record<string, string>>;
}

export interface RuleGroup {
  readonly name: string;
  readonly rules: readonly (RecordingRule | AlertingRule)[];
}

export function ruleGroup(slo: Slo, names: LabelNames): RuleGroup {
  const alerts = firingAlerts(slo);
  return {
    name: `slo-${sloId(slo)}`,
    rules: [
      ...periodRules(slo, names),
      ...shareRules(slo, names),
      ...budgetRules(slo, names),
      ...alerts.map((each) => alertRule(slo, each, names)),
    ],
  };
}

export function shareRecord(seconds: number): string {
  return `slo:sli_error:ratio_rate${promDuration(seconds)}`;
}

/** Failures within the long window of an alert; recorded if alerts need a number of them. */
export function failuresRecord(seconds: number): string {
  return `slo:sli_bad:increase${promDuration(seconds)}`;
}

/** The share of failures over the window of an objective. */
function periodRecord({ windowMs, calendar }: Slo): string {
  return calendar === null ? shareRecord(windowMs / 1000) : 'slo:sli_error:ratio_period';
}

/** As the label that tells windows apart has it. */
function periodLabel({ windowMs, calendar }: Slo): string {
  return calendar?.every ?? promDuration(windowMs / 1000);
}

/** When the period began that it is now, how long it is, and how much of it has passed; nothing of a window that rolls. */
function periodRules(slo: Slo, names: LabelNames): readonly RecordingRule[] {
  if (slo.calendar === null) return [];
  const labels = { ...slo.labels, ...idLabels(slo, names) };
  return periodQueries(slo.calendar, selector(slo, names)).map(([record, expr]) => ({ record, expr, labels }));
}

/** The share of failures over each window of the alerts, and over that of the objective. */
function shareRules(slo: Slo, names: LabelNames): readonly RecordingRule[] {
  const { indicator } = slo;
  const labels = { ...slo.labels, ...idLabels(slo, names) };
  const [shortest = 0, ...longer] = alertWindowsS(slo);
  const own = selector(slo, names);
  const period = slo.calendar === null ? null : periodSums(slo.calendar, own, names.period);
  const { stamped, current } = period ?? rolling;
  // What is summed up over the window has no label that may be another before it ends: else there would be two sums of one name.
  const lasting = idLabels(slo, names);
  const range = promDuration(period?.longestS ?? slo.windowMs / 1000);
  const share = (seconds: number, expr: string): RecordingRule => ({
    record: shareRecord(seconds),
    expr,
    labels: { ...labels, [names.window]: promDuration(seconds) },
  });
  const whole = (expr: string): RecordingRule => ({
    record: periodRecord(slo),
    expr,
    labels: { ...labels, [names.window]: periodLabel(slo) },
  });
  if (indicator.kind === 'ratio') {
    const windows = [shortest, ...longer].map((seconds) => share(seconds, over(indicator.error, seconds)));
    const shares = `${shareRecord(shortest)}${own}`;
    const ofPeriod = `slo:period_error:ratio_rate${promDuration(shortest)}`;
    const kept = period === null ? [] : [{ record: ofPeriod, expr: stamped(shares), labels: lasting }];
    const series = period === null ? shares : `${ofPeriod}${own}`;
    const without = [names.window, ...Object.keys(slo.labels)].join(', ');
    const all = (what: string): string =>
      `sum without (${without}) (${current(`${what}_over_time(${series}[${range}])`)})`;
    return [...windows, ...kept, whole(`${all('sum')} / ${all('count')}`)];
  }
  const { bad, total } = indicator;
  const ratio = (seconds: number): string => over(`((${bad}) or 0 * (${total})) / ((${total}) > 0)`, seconds);
  const [badRate, totalRate] = ['bad', 'total'].map((what) => `slo:sli_${what}:rate${promDuration(shortest)}`);
  const sum = (rate: string | undefined): string => current(`sum_over_time(${rate}${own}[${range}])`);
  return [
    { record: badRate ?? '', expr: stamped(over(`(${bad}) or 0 * (${total})`, shortest)), labels: lasting },
    { record: totalRate ?? '', expr: stamped(over(total, shortest)), labels: lasting },
    ...[shortest, ...longer].map((seconds) => share(seconds, ratio(seconds))),
    whole(`${sum(badRate)} / (${sum(totalRate)} > 0)`),
    ...failureRules(slo, labels),
  ];
}

/** All that is recorded is of the one window there is. */
const rolling: Pick<PeriodSums, 'stamped' | 'current'> = { stamped: (query) => query, current: (query) => query };

function failureRules(slo: Slo, labels: RuleLabels): readonly RecordingRule[] {
  const { indicator, alerts } = slo;
  if (alerts.failuresMin <= 1 || indicator.kind === 'ratio') return [];
  return firingAlerts(slo).map(({ longS }) => ({
    record: failuresRecord(longS),
    expr: over(`((${indicator.bad}) or 0 * (${indicator.total})) * ${longS}`, longS),
    labels,
  }));
}

/** What dashboards read: the objective, the budget, how fast it goes and what is left. */
function budgetRules(slo: Slo, names: LabelNames): readonly RecordingRule[] {
  const labels = { ...slo.labels, ...idLabels(slo, names) };
  const own = selector(slo, names);
  const [shortest = 0] = alertWindowsS(slo);
  const budget = errorBudget(slo);
  const rule = (record: string, expr: string, more: RuleLabels = {}): RecordingRule => ({
    record,
    expr,
    labels: { ...labels, ...more },
  });
  const burnOf = (record: string): string => `sum without (${names.window}) (${record}${own}) / ${budget}`;
  const days = slo.calendar === null ? `vector(${slo.windowMs / DAY_MS})` : `${periodRecords.length}${own} / 86400`;
  return [
    rule('slo:objective:ratio', `vector(${slo.objective})`),
    rule('slo:error_budget:ratio', `vector(${budget})`),
    rule('slo:time_period:days', days),
    rule('slo:current_burn_rate:ratio', burnOf(shareRecord(shortest))),
    rule('slo:period_burn_rate:ratio', burnOf(periodRecord(slo))),
    rule('slo:period_error_budget_remaining:ratio', `1 - slo:period_burn_rate:ratio${own}${elapsedPart(slo, own)}`),
    ...slaRules(slo, names, rule),
    rule(names.info, 'vector(1)', {
      objective: formatObjective(slo.objective),
      ...(slo.description === null ? {} : { description: slo.description }),
    }),
  ];
}

/** At a burn rate of 1 a budget lasts for its whole period: when a part of that has passed, no more than this part can be gone. */
function elapsedPart({ calendar }: Slo, own: string): string {
  return calendar === null ? '' : ` * ${periodRecords.elapsed}${own}`;
}

function slaRules(
  slo: Slo,
  names: LabelNames,
  rule: (record: string, expr: string) => RecordingRule,
): readonly RecordingRule[] {
  if (slo.sla === null) return [];
  const own = selector(slo, names);
  const share = `sum without (${names.window}) (${periodRecord(slo)}${own})`;
  const budget = errorBudget({ objective: slo.sla });
  return [
    rule('slo:sla_objective:ratio', `vector(${slo.sla})`),
    rule('slo:sla_error_budget_remaining:ratio', `1 - ${share} / ${budget}${elapsedPart(slo, own)}`),
  ];
}

/** The long window is on the left, so its label and its share are those of the alert. */
function alertRule(slo: Slo, alert: BurnAlert, names: LabelNames): AlertingRule {
  const { severity, burn, longS, shortS, threshold, budgetShare } = alert;
  const own = selector(slo, names);
  const both = [longS, shortS].map((seconds) => `${shareRecord(seconds)}${own} > ${threshold}`);
  const { failuresMin } = slo.alerts;
  // Half a failure of slack: a rate goes a little beyond the first and the last scrape.
  if (failuresMin > 1) both.push(`${failuresRecord(longS)}${own} >= ${failuresMin - 0.5}`);
  const { labels, annotations } = slo.alerts[severity];
  const name = `${slo.service}/${slo.name}`;
  const lasts = promDuration(slo.windowMs / 1000 / burn);
  const budget = `slo:period_error_budget_remaining:ratio{${names.id}=%q}`;
  const left = [
    said(`${budget} >= 0`, names, 'Left of the budget: '),
    // Templates cannot take a sign away.
    said(`-${budget} > 0`, names, 'The budget is overdrawn by '),
  ].join('');
  return {
    alert: slo.alerts.name,
    expr: both.join(`\nand ignoring (${names.window})\n`),
    labels: { ...slo.labels, ...idLabels(slo, names), severity, burn: String(burn), ...labels },
    annotations: {
      summary: `${name} spends its error budget more than ${burn} times too fast`,
      description:
        `{{ $value | humanizePercentage }} failed in the last ${promDuration(longS)}, and more than ${formatObjective(threshold)} in the last ` +
        `${promDuration(shortS)}; the objective is ${formatObjective(slo.objective)} over ${formatWindow(slo)}. ` +
        `${formatObjective(budgetShare)} of the budget or more went in this window; a whole one lasts less than ${lasts} at this rate.${left}`,
      ...annotations,
    },
  };
}

/** A sentence of an annotation with what a query of the objective gives; none if it gives nothing. */
function said(query: string, { id }: LabelNames, words: string): string {
  return `{{ with printf ${quoted(query)} $labels.${id} | query }} ${words}{{ . | first | value | humanizePercentage }}.{{ end }}`;
}

function selector(slo: Slo, names: LabelNames): string {
  return `{${names.id}=${quoted(sloId(slo))}}`;
}
