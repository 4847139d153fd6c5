/** `spillway/observe/instrument`: one call instruments a Node service. */
export { instrument, type InstrumentOptions, type Telemetry } from './instrument.ts';
export type { SeenRequest } from './exchange.ts';
export type { PgModule } from './postgres.ts';
