/** The package's front door. Patterns have doors of their own (`spillway/balance`, …). */
export { type ErrorCode, errorCodes, SpillwayError, type SpillwayErrorOptions } from './kernel/errors.ts';
