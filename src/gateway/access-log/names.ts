/**
 * Names from the config and from fixed lists, as JSON strings that are written once and copied from then on.
 *
 * Cost: a look into a map and a copy; an allocation for a name that is new.
 */
import { ascii, copyBytes, ownBytes } from '../../kernel/bytes.ts';
import type { LogRecord } from './record.ts';

const ROUTE = ascii(',"route":');
const SERVICE = ascii(',"service":');
const ENDPOINT = ascii(',"endpoint":');

/** The longest, in bytes of the line. */
const NAME_BYTES = 160;

/** Cached names; reached only by a config with thousands of endpoints, which then cost an allocation each. */
const NAMES_MAX = 8192;

/** What leads to an endpoint. */
interface Way {
  readonly route: string;
  readonly service: string;
  readonly bytes: Uint8Array;
}

export class Names {
  readonly #names = new Map<string, Uint8Array>();
  readonly #ways = new Map<string, Way>();

  /** Route, service and endpoint, as one cached piece: they are the same for request after request. */
  way(record: LogRecord, out: Uint8Array, at: number): number {
    const { route, service, endpoint } = record;
    let way = this.#ways.get(endpoint);
    if (way === undefined || way.route !== route || way.service !== service) {
      let length = this.name(ROUTE, route, out, at);
      if (service !== '') length = this.name(SERVICE, service, out, length);
      if (endpoint !== '') length = this.name(ENDPOINT, endpoint, out, length);
      // An endpoint that two routes lead to changes hands: it is then written in parts, which is slower and no more.
      if (way !== undefined || this.#ways.size >= NAMES_MAX) return length;
      way = { route, service, bytes: ownBytes(out, at, length) };
      this.#ways.set(endpoint, way);
    }
    return copyBytes(way.bytes, 0, way.bytes.length, out, at);
  }

  /** A key and a name from the config or from a fixed list. There are as many as the config has names. */
  name(key: Uint8Array, name: string, out: Uint8Array, at: number): number {
    at = copyBytes(key, 0, key.length, out, at);
    let bytes = this.#names.get(name);
    if (bytes === undefined) {
      const characters = Array.from(name.slice(0, NAME_BYTES));
      // Cut by whole characters: half of one would not be UTF-8.
      do {
        bytes = Buffer.from(JSON.stringify(characters.join('')), 'utf8');
        characters.pop();
      } while (bytes.length > NAME_BYTES);
      if (this.#names.size < NAMES_MAX) this.#names.set(name, bytes);
    }
    return copyBytes(bytes, 0, bytes.length, out, at);
  }
}
