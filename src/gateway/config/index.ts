/** The config: read, checked, compiled. */
export { CellStore } from './cell-store.ts';
export { compileHealthPlans, compileSnapshot } from './compile.ts';
export type { CompileOptions, FoundEndpoint } from './compile.ts';
export { configText } from './config-text.ts';
export { diffConfigs, diffServed } from './diff.ts';
export { fingerprint, saysTheSame } from './fingerprint.ts';
export { configNames, findConfig, loadConfig, parseConfig, resolveConfig } from './load.ts';
export type { Config, Loaded } from './load.ts';
export { formatMistake, formatMistakes } from '../../reading/mistakes.ts';
export type { Mistake } from '../../reading/mistakes.ts';
export type { ConfigInput } from './schema.ts';
