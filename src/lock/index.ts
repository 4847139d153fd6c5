/** `spillway/lock`: locks among processes. Where they are kept is in `spillway/lease`. */
export type { Lease } from '../lease/lease.ts';
export {
  type AcquireOptions,
  createLocks,
  type Held,
  type Locks,
  type LocksOptions,
  type PermitOptions,
  type Semaphore,
  type TryOptions,
} from './locks.ts';
