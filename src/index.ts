/** The package's front door. Patterns have doors of their own (`spillway/balance`, …). */
export { defineConfig } from './gateway/config/define.ts';
export type { ConfigInput } from './gateway/config/schema.ts';
export { type ErrorCode, errorCodes, SpillwayError, type SpillwayErrorOptions } from './kernel/errors.ts';
