/**
 * Recording rules and alerts for Prometheus. Pure and deterministic: the same objectives give the same text.
 *
 * Names are those of Sloth (`slo:sli_error:ratio_rate1h`, …), which boards and people know. Differences that matter: the share
 * over the whole window is of events, so an hour with little traffic weighs little, where a mean of shares would let it weigh as
 * much as any other; without traffic there is no share, and no alert; a counter of failures that does not exist yet is
 * none. One group an objective, evaluated in order, so that an alert sees what was recorded at the same moment.
 */
import { alertWindowsS, type BurnAlert, firingAlerts } from './burn-alerts.ts';
import { errorBudget, formatObjective, sloId, type Slo } from './objective.ts';
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

function periodS({ windowMs }: Slo): number {
  return windowMs / 1000;
}

/** The share of failures over each window of the alerts, and over that of the objective. */
function shareRules(slo: Slo, names: LabelNames): readonly RecordingRule[] {
  const { indicator } = slo;
  const labels = { ...slo.labels, ...idLabels(slo, names) };
  const [shortest = 0, ...longer] = alertWindowsS(slo);
  const period = periodS(slo);
  const share = (seconds: number, expr: string): RecordingRule => ({
    record: shareRecord(seconds),
    expr,
    labels: { ...labels, [names.window]: promDuration(seconds) },
  });
  if (indicator.kind === 'ratio') {
    const mean = `avg_over_time(${shareRecord(shortest)}${selector(slo, names)}[${promDuration(period)}])`;
    const windows = [shortest, ...longer].map((seconds) => share(seconds, over(indicator.error, seconds)));
    return [...windows, share(period, `sum without (${names.window}) (${mean})`)];
  }
  const { bad, total } = indicator;
  const ratio = (seconds: number): string => over(`((${bad}) or 0 * (${total})) / ((${total}) > 0)`, seconds);
  const [badRate, totalRate] = ['bad', 'total'].map((what) => `slo:sli_${what}:rate${promDuration(shortest)}`);
  const sum = (rate: string | undefined): string =>
    `sum_over_time(${rate}${selector(slo, names)}[${promDuration(period)}])`;
  return [
    { record: badRate ?? '', expr: over(`(${bad}) or 0 * (${total})`, shortest), labels },
    { record: totalRate ?? '', expr: over(total, shortest), labels },
    ...[shortest, ...longer].map((seconds) => share(seconds, ratio(seconds))),
    share(period, `${sum(badRate)} / (${sum(totalRate)} > 0)`),
    ...failureRules(slo, labels),
  ];
}

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
  const burnOf = (seconds: number): string =>
    `sum without (${names.window}) (${shareRecord(seconds)}${own}) / ${budget}`;
  return [
    rule('slo:objective:ratio', `vector(${slo.objective})`),
    rule('slo:error_budget:ratio', `vector(${budget})`),
    rule('slo:time_period:days', `vector(${periodS(slo) / 86_400})`),
    rule('slo:current_burn_rate:ratio', burnOf(shortest)),
    rule('slo:period_burn_rate:ratio', burnOf(periodS(slo))),
    rule('slo:period_error_budget_remaining:ratio', `1 - slo:period_burn_rate:ratio${own}`),
    ...slaRules(slo, names, rule),
    rule(names.info, 'vector(1)', {
      objective: formatObjective(slo.objective),
      ...(slo.description === null ? {} : { description: slo.description }),
    }),
  ];
}

function slaRules(
  slo: Slo,
  names: LabelNames,
  rule: (record: string, expr: string) => RecordingRule,
): readonly RecordingRule[] {
  if (slo.sla === null) return [];
  const share = `sum without (${names.window}) (${shareRecord(periodS(slo))}${selector(slo, names)})`;
  const budget = errorBudget({ objective: slo.sla });
  return [
    rule('slo:sla_objective:ratio', `vector(${slo.sla})`),
    rule('slo:sla_error_budget_remaining:ratio', `1 - ${share} / ${budget}`),
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
  const lasts = promDuration(periodS(slo) / burn);
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
        `${promDuration(shortS)}; the objective is ${formatObjective(slo.objective)} over ${promDuration(periodS(slo))}. ` +
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
