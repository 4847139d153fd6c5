/** What happens in a service, in numbers that all threads share; and its objectives as code: defined, judged, compiled. */
export { compileSlos } from './slo/compile.ts';
export type { CompiledFile, CompileSloOptions } from './slo/compile.ts';
export { defineSlo } from './slo/define.ts';
export { judgeSlo } from './slo/judge.ts';
export type { AlertVerdict, Detection, SloVerdict, Traffic } from './slo/judge.ts';
export { loadSlos, parseSlos, resolveSlos } from './slo/load.ts';
export type { LoadedSlos } from './slo/load.ts';
export type { AlertTarget, Indicator, Slo, SloAlerts, SloFile } from './slo/objective.ts';
export { burnAlerts } from './slo/burn-alerts.ts';
export type { BurnAlert, Severity } from './slo/burn-alerts.ts';
export type { AlertPhase, AlertStatus, BudgetStatus, BurnStatus, SloStatus } from './slo/live/status.ts';
export type { LabelStyle } from './slo/rule-labels.ts';
export { budgetLevel, type BudgetLevel, type BudgetPolicy } from './slo/policy.ts';
export { alertsOn, eventRates, failureShare } from './slo/simulate.ts';
export type { EventRates, Moment, SloCounter } from './slo/simulate.ts';
export type { SloInput } from './slo/slo-schema.ts';
export type { HistogramOptions, MetricOptions } from './metrics/definition.ts';
export type { Counter, Gauge, Histogram } from './metrics/instruments.ts';
export {
  createMetrics,
  type Exposition,
  type Family,
  type LabelValues,
  type Metrics,
  type MetricsOptions,
} from './metrics/metrics.ts';
export { HistogramReading } from './metrics/reading.ts';
