/**
 * Makes of any value one that JSON can hold: plain, small, without cycles and without secrets. What is logged is often what somebody else
 * sent or threw, so nothing about it is trusted: getters and `toJSON` that throw, proxies, cycles, depths, megabytes.
 *
 * Invariants: never throws; of a record at most `CHARS_MAX` characters are kept, in at most `VALUES_MAX` values, `DEPTH_MAX` deep, and
 * `isCut` says that something was left out; what has a secret name or path is `[redacted]`, whatever it is, but for `true` and
 * `false`, and numbers of tokens (a count or a fence, never a credential).
 * Cost: O(what is kept), with one list of the keys of each object.
 */
import { isError } from '../../kernel/errors.ts';
import type { SecretNames } from './secret-names.ts';
import { follow, type Step } from './secret-paths.ts';
import { HIDDEN, withoutSecrets } from './secret-text.ts';

/** A record of this size is a line below 16 KiB, where Docker and others cut. */
const CHARS_MAX = 12_000;
/** A stack of some forty frames. */
const TEXT_MAX = 4096;
const NAME_MAX = 128;
/** Too short to hold a secret and what gives it away. */
const NAME_SAFE = 9;
const KEYS_MAX = 100;
const DEPTH_MAX = 8;
const VALUES_MAX = 1000;
/** What any value takes at least: comma, quotes, colon. */
const VALUE_CHARS = 4;
/** A secret that begins before the cut is seen whole. */
const BEYOND = 512;

const CUT = '…';
const UNREADABLE = '[unreadable]';

/** What the line or pino itself has under these names; the same of a caller gets a `_` behind. */
const reserved: ReadonlySet<string> = new Set([
  ...['level', 'time', 'msg', 'service', 'module', 'trace_id', 'span_id', 'trace_flags', 'correlation_id', 'cut'],
  ...['serializers', 'formatters', 'customLevels', 'hasOwnProperty', '__proto__'],
]);

export interface Secrets {
  readonly names: SecretNames;
  readonly paths: Step | null;
}

export type Fields = Record<string, unknown>;

type Paths = readonly Step[] | null;

/** One record being made plain. */
export class Plain {
  readonly #secrets: Secrets;
  readonly #paths: Paths;
  readonly #record: Fields;
  readonly #above: object[] = [];
  #left = CHARS_MAX;
  #values = VALUES_MAX;
  isCut = false;

  /** What is plain is put into `record`. */
  constructor(secrets: Secrets, record: Fields) {
    this.#secrets = secrets;
    this.#paths = secrets.paths === null ? null : [secrets.paths];
    this.#record = record;
  }

  /** How much of the record's size is taken. */
  get chars(): number {
    return CHARS_MAX - this.#left;
  }

  /** What an object has becomes fields of the record; names that are the line's own are changed. */
  fields(from: object): void {
    const record = this.#record;
    this.#above.push(from);
    try {
      // Of a list or bytes there are no names to take.
      const plain = this.#plain(from, this.#paths, record);
      if (plain !== record) this.field('value', plain);
    } catch {
      record['unreadable'] = true;
    }
    this.#above.pop();
    // Pino would take it for a request, and put everything into `req`.
    if (record['method'] && record['headers']) delete record['socket'];
  }

  field(name: string, value: unknown): void {
    this.#member(name, value, this.#record, this.#paths);
  }

  text(text: string): string {
    const fitting = Math.min(TEXT_MAX, Math.max(this.#left, 0));
    const seen = text.length > fitting + BEYOND ? text.slice(0, fitting + BEYOND) : text;
    let kept = withoutSecrets(seen, this.#secrets.names);
    if (kept.length > fitting || seen.length < text.length) kept = this.#cut(kept, fitting);
    this.#left -= kept.length + VALUE_CHARS;
    return kept;
  }

  /** Not through the middle of a character. */
  #cut(text: string, length: number): string {
    this.isCut = true;
    const last = text.charCodeAt(length - 1);
    return text.slice(0, last >= 0xd800 && last < 0xdc00 ? length - 1 : length) + CUT;
  }

  value(value: unknown, paths: Paths = null): unknown {
    switch (typeof value) {
      case 'string':
        return this.text(value);
      case 'number':
        this.#left -= VALUE_CHARS;
        return Number.isFinite(value) ? value : String(value);
      case 'boolean':
        this.#left -= VALUE_CHARS;
        return value;
      case 'bigint':
        // Of a large one the digits alone would take seconds.
        return BigInt.asIntN(256, value) === value ? this.text(String(value)) : '[bigint]';
      case 'symbol':
        return this.text(String(value));
      case 'object':
        return value === null ? null : this.#object(value, paths);
      default:
        return undefined;
    }
  }

  #object(value: object, paths: Paths): unknown {
    if (this.#above.includes(value)) return '[circular]';
    if (this.#above.length >= DEPTH_MAX || this.#values <= 0 || this.#left <= 0) {
      this.isCut = true;
      return CUT;
    }
    this.#left -= VALUE_CHARS;
    this.#above.push(value);
    try {
      return this.#plain(value, paths, {});
    } catch {
      return UNREADABLE;
    } finally {
      this.#above.pop();
    }
  }

  /** `into`, with what the value has; or what stands for it, if that has no names. */
  #plain(value: object, paths: Paths, into: Fields): unknown {
    if (Array.isArray(value)) return this.#items(value, value.length, paths);
    if (isError(value)) return this.#error(value, into, paths);
    if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return `[${value.byteLength} bytes]`;
    if (value instanceof Map || value instanceof Headers) return this.#entries(value, into, paths);
    if (value instanceof Set) return this.#items(value, value.size, paths);
    if (value instanceof URLSearchParams) return this.text(`?${String(value)}`);
    const { toJSON } = value as { toJSON?: unknown };
    if (typeof toJSON === 'function') {
      const json: unknown = toJSON.call(value);
      const isContext = into === this.#record && typeof json === 'object' && json !== null;
      if (json !== value) return isContext ? this.#plain(json, paths, into) : this.value(json, paths);
    }
    return this.#members(messageOf(value) ?? value, into, paths);
  }

  #error(error: Error, into: Fields, paths: Paths): Fields {
    for (const name of ['type', 'message', 'code', 'stack', 'cause', 'errors'] as const) {
      let value: unknown = UNREADABLE;
      try {
        value = name === 'type' ? typeOf(error) : (error as Partial<Record<typeof name, unknown>>)[name];
      } catch {
        // Then it is unreadable.
      }
      this.#member(name, value, into, paths);
    }
    return this.#members(error, into, paths);
  }

  #entries(map: Map<unknown, unknown> | Headers, into: Fields, paths: Paths): Fields {
    let count = 0;
    for (const [key, value] of map) {
      if (!this.#isRoom(count++)) break;
      this.#member(typeof key === 'string' ? key : printed(this.value(key)), value, into, paths);
    }
    return into;
  }

  /** Names and values that take turns, as in `rawHeaders` or `Object.entries`, are seen as such, and what follows `--name`, as in `argv`. */
  #items(list: Iterable<unknown>, length: number, paths: Paths): unknown[] {
    const items: unknown[] = [];
    let before: unknown = null;
    for (const item of list) {
      if (!this.#isRoom(items.length)) break;
      const next = paths === null ? null : follow(paths, String(items.length));
      const isHidden =
        next?.some(({ isEnd }) => isEnd) === true ||
        (typeof before === 'string' &&
          (before.startsWith('--') || (length % 2 === 0 && items.length % 2 === 1)) &&
          this.#isSecret(before, item));
      items.push(isHidden ? HIDDEN : (this.value(item, next) ?? null));
      before = item;
    }
    return items;
  }

  #members(value: object, into: Fields, paths: Paths): Fields {
    let count = 0;
    for (const name of Object.keys(value)) {
      if (!this.#isRoom(count++)) break;
      // Of an error some are there already.
      if (into !== this.#record && Object.hasOwn(into, name)) continue;
      let member: unknown = UNREADABLE;
      try {
        member = (value as Fields)[name];
      } catch {
        // Then it is unreadable.
      }
      this.#member(name, member, into, paths);
    }
    this.#hideLabelled(into);
    return into;
  }

  /** `{ name: 'authorization', value: … }`. */
  #hideLabelled(into: Fields): void {
    const label = into['name'] ?? into['key'];
    if (typeof label === 'string' && 'value' in into && this.#isSecret(label, into['value'])) into['value'] = HIDDEN;
  }

  #member(name: string, value: unknown, into: Fields, paths: Paths): void {
    const next = paths === null ? null : follow(paths, name);
    const isHidden = this.#isSecret(name, value) || next?.some(({ isEnd }) => isEnd) === true;
    const plain = isHidden && value !== undefined ? HIDDEN : this.value(value, next);
    if (plain === undefined) return;
    // Of a map the keys may be what came in, or a connection string.
    let key = name.length < NAME_SAFE ? name : withoutSecrets(name, this.#secrets.names);
    if (key.length > NAME_MAX) key = this.#cut(key, NAME_MAX);
    if (into === this.#record ? reserved.has(key) : key === '__proto__') key += '_';
    this.#left -= key.length;
    into[key] = plain;
  }

  #isSecret(name: string, value: unknown): boolean {
    if (typeof value === 'boolean' || value === null || value === undefined) return false;
    if (!this.#secrets.names.has(name)) return false;
    return !(typeof value === 'number' || typeof value === 'bigint') || !/token/i.test(name);
  }

  #isRoom(count: number): boolean {
    if (count < KEYS_MAX && this.#left > 0 && this.#values-- > 0) return true;
    this.isCut = true;
    return false;
  }
}

/** A plain value within a text. */
export function printed(plain: unknown): string {
  return typeof plain === 'string' ? plain : (JSON.stringify(plain) ?? 'undefined');
}

/** The class says more than a name that nobody has set. */
function typeOf({ name, constructor }: Error): unknown {
  return name === 'Error' ? constructor.name : name;
}

/** Of an HTTP request or answer what people want to read: the rest of the object is a machine. What somebody wrote down is none. */
function messageOf(value: object): object | null {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Object.prototype || prototype === null) return null;
  const { method, url, headers, statusCode, getHeaders } = value as Partial<Record<string, unknown>>;
  if (typeof method === 'string' && typeof url === 'string' && typeof headers === 'object')
    return { method, url, headers };
  if (typeof statusCode !== 'number' || typeof getHeaders !== 'function') return null;
  return { statusCode, headers: getHeaders.call(value) as unknown };
}
