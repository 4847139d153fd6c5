/** `spillway/testing`: what every implementation of a concept must do, to be run against your own by any test runner. */
export { SimulatedClock } from '../kernel/simulated-clock.ts';
export { type BalancerKind, type BalancerSubject, balancerContract } from './balancer-contract.ts';
export type { ContractCase, Deviations } from './contract.ts';
export { geoContract, type GeoSubject, type GeoUnderTest } from './geo-contract.ts';
export { leaseStoreContract, type LeaseStoresUnderTest, type LeaseStoreSubject } from './lease-contract.ts';
export { limitStoreContract, type LimitStoreSubject, type StoreUnderTest } from './limit-contract.ts';
export { limitVectors, type LimitVector, VECTORS_START_US, type VectorStep } from './limit-vectors.ts';
