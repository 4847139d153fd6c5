/**
 * Names from the config and from fixed lists, as JSON strings that are written once and copied from then on.
 *
 * Cost: a look into a map and a copy; an allocation for a name that is new.
 */
import { FixedText, type LineOut } from './fixed-text.ts';
import type { LogRecord } from './record.ts';

const ROUTE = new FixedText(',"route":');
const SERVICE = new FixedText(',"service":');
const ENDPOINT = new FixedText(',"endpoint":');

/** The longest, in bytes of the line. */
const NAME_BYTES = 160;

/** Cached names; reached only by a config with thousands of endpoints, which then cost an allocation each. */
const NAMES_MAX = 8192;

/** What leads to an endpoint. */
interface Way {
  readonly route: string;
  readonly service: string;
  readonly text: FixedText;
}

export class Names {
  readonly #names = new Map<string, FixedText>();
  readonly #ways = new Map<string, Way>();

  /** Route, service and endpoint, as one cached piece: they are the same for request after request. */
  way(record: LogRecord, out: LineOut, at: number): number {
    const { route, service, endpoint } = record;
    let way = this.#ways.get(endpoint);
    if (way === undefined || way.route !== route || way.service !== service) {
      let end = this.name(ROUTE, route, out, at);
      if (service !== '') end = this.name(SERVICE, service, out, end);
      if (endpoint !== '') end = this.name(ENDPOINT, endpoint, out, end);
      // An endpoint that two routes lead to changes hands: it is then written in parts, which is slower and no more.
      if (way !== undefined || this.#ways.size >= NAMES_MAX) return end;
      way = { route, service, text: new FixedText(Buffer.from(out.bytes.subarray(at, end)).toString('utf8')) };
      this.#ways.set(endpoint, way);
    }
    return way.text.write(out, at);
  }

  /** A key and a name from the config or from a fixed list. There are as many as the config has names. */
  name(key: FixedText, name: string, out: LineOut, at: number): number {
    let text = this.#names.get(name);
    if (text === undefined) {
      const characters = Array.from(name.slice(0, NAME_BYTES));
      // Cut by whole characters: half of one would not be UTF-8.
      let quoted: string;
      do {
        quoted = JSON.stringify(characters.join(''));
        characters.pop();
      } while (Buffer.byteLength(quoted) > NAME_BYTES);
      text = new FixedText(quoted);
      if (this.#names.size < NAMES_MAX) this.#names.set(name, text);
    }
    return text.write(out, key.write(out, at));
  }
}
