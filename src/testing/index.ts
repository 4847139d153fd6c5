/** `spillway/testing`: what every implementation of a concept must do, to be run against your own by any test runner. */
export { type BalancerKind, type BalancerSubject, balancerContract } from './balancer-contract.ts';
export type { ContractCase, Deviations } from './contract.ts';
