/** The gateway as a program uses it. */
export { createGateway } from './control/gateway.ts';
export type { Gateway, GatewayOptions } from './control/gateway.ts';
export type { DrainOutcome, DrainRequest, EndpointName } from './control/drains.ts';
export type { GatewayEvent, GatewayListener, ReloadOutcome } from './control/events.ts';
export type { TrialOutcome } from './control/trials.ts';
export type {
  CanaryState,
  ConfigVersionState,
  DrainState,
  EndpointHealth,
  EndpointOfService,
  EndpointState,
  GatewayPhase,
  GatewayState,
  ListenerState,
  ReloadCause,
  ReloadState,
  RouteState,
  ServiceState,
  StatusCounts,
  WorkerState,
} from './control/gateway-state.ts';
