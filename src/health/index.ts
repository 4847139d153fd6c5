/** Health: what checks and traffic say about an endpoint, and what follows for the balancer. */
export { initialHealth, step } from './active.ts';
export type { CheckPolicy, CheckResult, Health, HealthState, HealthTransition } from './active.ts';
export { eligible } from './eligible.ts';
export type { Candidate, Eligibility } from './eligible.ts';
