/**
 * The key under which a request counts for a limit: one string of everything the limit goes by.
 *
 * Parts are separated by line feeds, so that no two combinations make the same key: a value that holds one, and one longer than
 * `VALUE_MAX`, is represented by its hash. So keys stay short, too, whoever makes them up. A client is the one that `ClientFinder`
 * found: its IPv4 address, or the /64 of its IPv6 one, within which one device changes its address daily.
 *
 * Cost: a pass over the fields, the query or the cookies for each part; the text of a client is made once for many requests.
 */
import { hash } from 'node:crypto';
import { nameOf, type Some, someCookie, someField, someParameter, type Takes } from '../routing/request-values.ts';
import type { RoutedRequest } from '../routing/routed-request.ts';
import { Address, writeAddress } from '../../kernel/ip-address.ts';
import { readClaim } from './claim.ts';
import type { LimitKeySource, LimitPlan } from './plan.ts';

/** Longer than API keys and session ids are. */
const VALUE_MAX = 128;

const SEPARATOR = '\n';
/** Begins the key of a client that stands for a value it did not bring; a value never begins so. */
const INSTEAD = '\n';
/** One count for everybody. */
const EVERYBODY = '*';

/** What keys are read from. Mutable, to be filled anew for each request. */
export interface Keyed {
  readonly routed: RoutedRequest;
  readonly listener: string;
  route: string;
}

/** The key, or null if the request has none and the limit does not concern it. */
export type KeyReader = (request: Keyed) => string | null;

/** A part of a key, or null if the request lacks it. */
type PartReader = KeyReader;

export function createKeyReader({ keys, missing }: Pick<LimitPlan, 'keys' | 'missing'>): KeyReader {
  const parts = keys.map(partReader);
  const [only] = parts;
  const without = (request: Keyed): string | null => {
    if (missing === 'skip') return null;
    return missing === 'together' ? INSTEAD : INSTEAD + clientText(request.routed.client);
  };
  if (only === undefined) return () => EVERYBODY;
  if (parts.length === 1) return (request) => only(request) ?? without(request);
  return (request) => {
    let key = '';
    for (const part of parts) {
      const text = part(request);
      if (text === null) return without(request);
      key += key === '' ? text : SEPARATOR + text;
    }
    return key;
  };
}

/** Who sent it, whatever it says. */
export const clientKey: KeyReader = ({ routed }) => clientText(routed.client);

function partReader(source: LimitKeySource): PartReader {
  switch (source.kind) {
    case 'client':
      return clientKey;
    case 'listener':
      return ({ listener }) => listener;
    case 'route':
      return ({ route }) => route;
    case 'header':
      return named(source.name, someField);
    case 'query':
      return named(source.name, someParameter);
    case 'cookie':
      return named(source.name, someCookie);
    case 'claim':
      return ({ routed }) => {
        const claim = readClaim(routed.head, source.name);
        return claim === null ? null : bounded(claim);
      };
    default:
      return source satisfies never;
  }
}

function named(name: string, some: Some): PartReader {
  const wanted = nameOf(name);
  let found = '';
  // An empty value is none: everybody who sends one would be the same client.
  const takes: Takes = (bytes, from, to) => {
    if (from === to) return false;
    found = latin1(bytes, from, to);
    return true;
  };
  return ({ routed }) => (some(routed.head, wanted, takes) ? bounded(found) : null);
}

function bounded(value: string): string {
  return value.length <= VALUE_MAX && !value.includes(SEPARATOR) ? value : hash('sha256', value, 'base64url');
}

function latin1(bytes: Uint8Array, from: number, to: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from).toString('latin1');
}

/** Texts of clients that came lately, by a hash of the address: one look instead of writing it anew for each request. */
const MEMO_SLOTS = 1024;
const memoWords = new Int32Array(MEMO_SLOTS * 4);
const memoTexts: string[] = Array.from({ length: MEMO_SLOTS }, () => '');
const scratch = Buffer.alloc(64);

/** `192.0.2.7`, or `2001:db8:1:2::/64`. */
function clientText(client: Address): string {
  const { words, isIpv4 } = client;
  const last = isIpv4 ? words[3]! : 0;
  const mixed = Math.imul(words[0]! ^ Math.imul(words[1]!, 0x85ebca6b) ^ Math.imul(last, 0xc2b2ae35), 0x9e3779b1);
  const slot = mixed >>> 22;
  const at = slot * 4;
  if (
    memoTexts[slot] !== '' &&
    memoWords[at] === words[0] &&
    memoWords[at + 1] === words[1] &&
    memoWords[at + 2] === (isIpv4 ? words[2] : 0) &&
    memoWords[at + 3] === last
  ) {
    return memoTexts[slot]!;
  }
  const text = isIpv4 ? written(client) : `${network(client)}/64`;
  memoWords[at] = words[0]!;
  memoWords[at + 1] = words[1]!;
  memoWords[at + 2] = isIpv4 ? words[2]! : 0;
  memoWords[at + 3] = last;
  memoTexts[slot] = text;
  return text;
}

function written(address: Address): string {
  return scratch.toString('latin1', 0, writeAddress(address, scratch, 0));
}

const half = new Address();

function network(client: Address): string {
  half.copyFrom(client);
  half.mask(64);
  return written(half);
}
