/** What an endpoint must not be, seen from where it would be used: the same for one in the config and one that was discovered. */
import { isLinkLocal } from '../link-local.ts';
import { type Address, isUnspecified, reaches } from './address.ts';
import type { Endpoint } from './endpoint-schema.ts';
import type { Finding, MistakeList, Path } from '../../reading/mistakes.ts';
import type { AdminAddress } from './values.ts';

export interface Surroundings {
  /** Where this gateway listens; null for a listener that is not understood. */
  readonly listeners: readonly (Address | null)[];
  readonly admin: AdminAddress | null;
  /** This machine's own addresses. */
  readonly ownAddresses: readonly string[];
  readonly allowLinkLocal: boolean;
}

/** Null, or all that is wrong with it as an address to send requests to. */
export function endpointFaults(target: Address, around: Surroundings): readonly Finding[] {
  return [placeFault(target, around), loopFault(target, around)].filter((finding) => finding !== null);
}

function placeFault({ host, port, text: found }: Address, { allowLinkLocal }: Surroundings): Finding | null {
  if (isUnspecified(host)) {
    const message = 'this is an address to listen on, not one to connect to';
    return { message, found, expected: 'the address of a server', suggestion: `127.0.0.1:${port}` };
  }
  if (!isLinkLocal(host) || allowLinkLocal) return null;
  const message = 'this is a link-local address or a cloud metadata service, which hands out credentials';
  return { message, found, expected: 'another address, or allowLinkLocal: true in this service' };
}

function loopFault(target: Address, { listeners, admin, ownAddresses }: Surroundings): Finding | null {
  const wanted = { found: target.text, expected: 'the address of a server' };
  const index = listeners.findIndex((listener) => listener !== null && reaches(target, listener, ownAddresses));
  if (index >= 0) {
    const message = `this endpoint is the gateway itself (listeners[${index}]): requests would go in a circle`;
    return { message, ...wanted };
  }
  if (admin?.kind !== 'tcp' || !reaches(target, admin, ownAddresses)) return null;
  return { message: "this endpoint is the gateway's own admin address: clients would get at it", ...wanted };
}

/** Adds what is wrong with a list of endpoints of `service`; `path` is where the list stands. */
export function checkEndpointList(
  endpoints: readonly Endpoint[],
  { service, path, list, around }: { service: string; path: Path; list: MistakeList; around: Surroundings },
): void {
  const seen = new Map<string, number>();
  for (const [index, { address }] of endpoints.entries()) {
    const place: Path = [...path, index, 'address'];
    const before = seen.get(address.text);
    if (before !== undefined) {
      const message = `endpoint ${index} of service "${service}" is endpoint ${before} again`;
      const expected = 'each endpoint once (use weight for a larger share)';
      list.error(place, { message, found: address.text, expected });
    }
    seen.set(address.text, before ?? index);
    for (const fault of endpointFaults(address, around)) list.error(place, fault);
  }
  const idle = endpoints.every(({ weight }) => weight === 0)
    ? { found: 'weight 0 everywhere', expected: 'one endpoint with a weight above 0' }
    : endpoints.every(({ drain }) => drain !== false)
      ? { found: 'drain everywhere', expected: 'one endpoint that serves' }
      : null;
  if (idle !== null && endpoints.length > 0) {
    list.warning(path, { message: `no endpoint of service "${service}" gets work`, ...idle });
  }
}
