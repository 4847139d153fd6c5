/** `spillway/testing`: what every implementation of a concept must do, to be run against your own by any test runner; and whether what happened could have. */
export { SimulatedClock } from '../kernel/simulated-clock.ts';
export { balancerContract } from './balancer-contract.ts';
export type { BalancerKind, BalancerSubject } from './balancer-subject.ts';
export type { ContractCase, Deviations } from './contract.ts';
export { electionContract, type ElectionSubject } from './election-contract.ts';
export { fencedRegisterContract, type RegisterSubject } from './register-contract.ts';
export { geoContract, type GeoSubject, type GeoUnderTest } from './geo-contract.ts';
export {
  checkLinearizable,
  type LinearizableOptions,
  type Unexplained,
  type Verdict,
} from './history/linearizability.ts';
export { type Access, checkLockHistory, type LockFault } from './history/lock-history.ts';
export { fencedMutex, readWriteLock, semaphore } from './history/lock-models.ts';
export type { Model } from './history/model.ts';
export type { History, Operation } from './history/operation.ts';
export { readHistory, recordHistory, type RecorderOptions } from './history/recorder.ts';
export { casRegister, counter, fencedRegister, register } from './history/register-models.ts';
export { leaseStoreContract, type LeaseStoresUnderTest, type LeaseStoreSubject } from './lease-contract.ts';
export { limitStoreContract, type LimitStoreSubject, type StoreUnderTest } from './limit-contract.ts';
export { limitVectors, type LimitVector, VECTORS_START_US, type VectorStep } from './limit-vectors.ts';
