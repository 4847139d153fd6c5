/** What is told of a config that has taken the place of another, beside its changes. Pure. */
import { diffServed } from '../config/index.ts';
import type { Snapshot } from '../snapshot.ts';
import type { GatewayEvent } from './events.ts';
import { boundAddress } from './read-state.ts';

/** The address of each listener that is new or has moved; `before` is null for the first config. */
export function listeningNews(
  before: Snapshot | null,
  { listeners }: Snapshot,
  ports: Readonly<Record<string, number>>,
): GatewayEvent[] {
  const old = new Map(before?.listeners.map((listener) => [listener.id, boundAddress(listener, ports)]));
  return listeners.flatMap((listener): GatewayEvent[] => {
    const address = boundAddress(listener, ports);
    if (old.get(listener.id) === address) return [];
    return [{ kind: 'listening', listener: listener.id, address, tls: listener.tls !== null }];
  });
}

/** Endpoints that were found or are gone; both are of the same config. */
export function foundNews(before: Snapshot, { services }: Snapshot): GatewayEvent[] {
  return services.flatMap((service, index): GatewayEvent[] => {
    const { name, discovery: source } = service;
    const changes = diffServed(before.services[index]!, service);
    return changes.length === 0 || source === null ? [] : [{ kind: 'endpoints-found', service: name, source, changes }];
  });
}
