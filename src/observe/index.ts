/** Objectives of a service as code: defined, read, judged, compiled for Prometheus. */
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
export type { LabelStyle } from './slo/rule-labels.ts';
export { alertsOn, eventRates, failureShare } from './slo/simulate.ts';
export type { Counter, EventRates, Moment } from './slo/simulate.ts';
export type { SloInput } from './slo/slo-schema.ts';
