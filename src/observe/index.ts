/** What happens in a service, now and before, in numbers that all threads share; whose work it is; its objectives as code. */
export { compileSlos, type CompiledFile, type CompileSloOptions } from './slo/compile.ts';
export { defineSlo } from './slo/define.ts';
export { judgeSlo, type AlertVerdict, type Detection, type SloVerdict, type Traffic } from './slo/judge.ts';
export { loadSlos, parseSlos, resolveSlos, type LoadedSlos } from './slo/load.ts';
export type { AlertTarget, Indicator, Slo, SloAlerts, SloFile } from './slo/objective.ts';
export { burnAlerts, type BurnAlert, type Severity } from './slo/burn-alerts.ts';
export type { AlertPhase, AlertStatus, BudgetStatus, BurnStatus, SloStatus } from './slo/live/status.ts';
export type { LabelStyle } from './slo/rule-labels.ts';
export { budgetLevel, type BudgetLevel, type BudgetPolicy } from './slo/policy.ts';
export { alertsOn, eventRates, failureShare, type EventRates, type Moment, type SloCounter } from './slo/simulate.ts';
export type { SloInput } from './slo/slo-schema.ts';
export { createLogs, type Logger, type Logs, type LogsOptions } from './log/logs.ts';
export { RecentLogs, type LogQuery, type LogRecord } from './log/recent.ts';
export type { HistogramOptions, MetricOptions } from './metrics/definition.ts';
export type { Counter, Gauge, Histogram } from './metrics/instruments.ts';
export { createMetrics, type Exposition, type Family } from './metrics/metrics.ts';
export type { LabelValues, Metrics, MetricsOptions, MetricsSink } from './metrics/metrics.ts';
export { HistogramReading } from './metrics/reading.ts';
export { extractContext, injectContext, type IncomingFields } from './context/header-fields.ts';
export { currentContext, runInContext } from './context/work-context.ts';
export type { Baggage, TraceContext, WorkContext } from './context/work-context.ts';
export { registerOpenTelemetry } from './otel/bridge.ts';
export { createOtlpExporter, type OtlpExporter, type OtlpExporterOptions } from './otlp/exporter.ts';
export type { Span, SpanOptions } from './trace/span.ts';
export { createTraces, type SpanSink, type TraceCounts, type Traces, type TracesOptions } from './trace/traces.ts';
export {
  createTraceStore,
  type FoundTraces,
  type TraceQuery,
  type TraceStore,
  type TraceSummary,
} from './trace/store.ts';
export type { Attributes, SpanEvent, SpanKind, SpanLink, SpanRecord, SpanStatus } from './trace/span-record.ts';
export type { SeriesQuery, SeriesRange, SeriesRow } from './series/range.ts';
export { createSeries, type Series, type SeriesDefinition, type SeriesOptions } from './series/series.ts';
