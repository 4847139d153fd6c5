/**
 * What a driver says, as a store says it (store.ts): to whoever asks for a lease, a change that may have been made is an answer that got lost, and
 * a session of the server that is over has a successor.
 */
import { isCoded, SpillwayError } from '../kernel/errors.ts';

export function storeError(error: unknown): unknown {
  if (!isCoded(error, 'STORE_UNSURE', 'ETCD_LEASE_GONE', 'ZOOKEEPER_SESSION_ENDED')) return error;
  return new SpillwayError('STORE_UNAVAILABLE', error.message, { cause: error, retryable: true });
}
