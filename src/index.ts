/** The package's front door. Patterns have doors of their own (`spillway/balance`, …). */
export { defineConfig } from './gateway/config/define.ts';
export type { ConfigInput } from './gateway/config/schema.ts';
export { createGateway } from './gateway/index.ts';
export type {
  Gateway,
  GatewayEvent,
  GatewayListener,
  GatewayOptions,
  GatewayState,
  ReloadOutcome,
} from './gateway/index.ts';
export { type ErrorCode, errorCodes, SpillwayError, type SpillwayErrorOptions } from './kernel/errors.ts';
