/**
 * What the admin API, or a program, says about the endpoints of a service: all of them, one more, or one fewer. Pure.
 *
 * Invariant: a change that is refused changes nothing, and has a code and a sentence.
 */
import { SpillwayError } from '../../../kernel/errors.ts';
import { parseAddress } from '../../config/address.ts';
import { type EndpointListPlace, readEndpointValue } from '../../config/endpoint-list.ts';
import type { Endpoint } from '../../config/endpoint-schema.ts';
import { type FoundEndpoint, formatMistake } from '../../config/index.ts';

export type EndpointChange =
  /** A list as `endpoints` in the config. */
  | { readonly kind: 'replace'; readonly endpoints: unknown }
  /** One of such a list; one with the same address is replaced. */
  | { readonly kind: 'add'; readonly endpoint: unknown }
  /** `host:port`. */
  | { readonly kind: 'remove'; readonly address: string };

export interface ChangeLimits {
  readonly place: EndpointListPlace;
  readonly max: number;
  readonly whenEmpty: 'keep' | 'remove';
}

/** Throws `ENDPOINTS_INVALID` or `ENDPOINT_UNKNOWN`. */
export function changedEndpoints(
  before: readonly FoundEndpoint[],
  change: EndpointChange,
  { place, max, whenEmpty }: ChangeLimits,
): readonly FoundEndpoint[] {
  const after = applied(before, change, place);
  if (after.length > max) {
    throw invalid(
      `Service ${place.service} may have at most ${max} endpoints this way (max); it would have ${after.length}.`,
    );
  }
  if (after.length === 0 && whenEmpty === 'keep') {
    throw invalid(`This would leave service ${place.service} no endpoint; if that is meant, set whenEmpty: remove.`);
  }
  return after;
}

function applied(
  before: readonly FoundEndpoint[],
  change: EndpointChange,
  place: EndpointListPlace,
): readonly FoundEndpoint[] {
  switch (change.kind) {
    case 'replace':
      return read(change.endpoints, place);
    case 'add': {
      const [added] = read([change.endpoint], place);
      if (added === undefined) return before;
      const at = before.findIndex(({ address }) => address.text === added.address.text);
      return at < 0 ? [...before, added] : before.with(at, added);
    }
    case 'remove': {
      const parsed = parseAddress(change.address, 'connect');
      const text = parsed.ok ? parsed.address.text : change.address;
      const after = before.filter(({ address }) => address.text !== text);
      if (after.length < before.length) return after;
      throw new SpillwayError(
        'ENDPOINT_UNKNOWN',
        `Service ${place.service} was given no endpoint ${JSON.stringify(text.slice(0, 300))}; it has ${before.length}.`,
      );
    }
    default:
      return change satisfies never;
  }
}

function read(value: unknown, place: EndpointListPlace): readonly FoundEndpoint[] {
  const { endpoints, mistakes } = readEndpointValue(value, 'endpoints', place);
  if (endpoints !== null) return endpoints.map(given);
  throw invalid(
    mistakes
      .filter(({ severity }) => severity === 'error')
      .map(formatMistake)
      .join('\n'),
  );
}

function given(endpoint: Endpoint): FoundEndpoint {
  return { ...endpoint, source: 'api', identity: null };
}

function invalid(message: string): SpillwayError {
  return new SpillwayError('ENDPOINTS_INVALID', message);
}
