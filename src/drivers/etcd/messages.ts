/**
 * What is said to etcd and what it answers, as its JSON gateway writes them (etcd's rpc.proto by protobuf's JSON mapping): bytes are
 * base64, 64-bit integers are decimal strings, and what is zero or empty is left out.
 *
 * Here integers are bigint, keys and values are bytes; a text that is given is its UTF-8. What a server sends is believed of nothing: an
 * answer that is not of the form throws, whatever is in it. Pure.
 */
import { invalid, textOfGiven } from '../../kernel/options.ts';

export type Bytes = string | Uint8Array;

export interface KeyValue {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  /** The revision of the store at which the key came to be: a fencing token. */
  readonly createRevision: bigint;
  /** That of its last change. */
  readonly modRevision: bigint;
  /** How often it was put since it came to be. */
  readonly version: bigint;
  /** The lease with which it ends; 0n: none. */
  readonly lease: bigint;
}

/** One key, or all from `key` up to `rangeEnd`, which is not part of it; `prefixEnd` gives that of a prefix. */
export interface KeyRange {
  readonly key: Bytes;
  readonly rangeEnd?: Bytes;
}

const sortTargets = {
  key: 'KEY',
  version: 'VERSION',
  createRevision: 'CREATE',
  modRevision: 'MOD',
  value: 'VALUE',
} as const;

export interface RangeRequest extends KeyRange {
  /** At most so many. @defaultValue all of them, as far as an answer may be large */
  readonly limit?: number;
  /** @defaultValue ascending by key */
  readonly sort?: { readonly by: keyof typeof sortTargets; readonly descending?: boolean };
  /** As it was then. @defaultValue now */
  readonly revision?: bigint;
  /** Answered by the one server from what it knows, which may be old. @defaultValue false: by a majority */
  readonly serializable?: boolean;
  readonly keysOnly?: boolean;
  readonly countOnly?: boolean;
}

export interface PutRequest {
  readonly key: Bytes;
  readonly value: Bytes;
  /** @defaultValue none */
  readonly lease?: bigint;
}

const comparisons = { '=': 'EQUAL', '!=': 'NOT_EQUAL', '<': 'LESS', '>': 'GREATER' } as const;
const compareTargets = {
  createRevision: ['CREATE', 'create_revision'],
  modRevision: ['MOD', 'mod_revision'],
  version: ['VERSION', 'version'],
  lease: ['LEASE', 'lease'],
} as const;

/** True if it is of the key, or of every key of the range. A key that does not exist has only zeros, and no value. */
export type Compare = KeyRange & { readonly is: keyof typeof comparisons } & (
    | { readonly target: keyof typeof compareTargets; readonly than: bigint }
    | { readonly target: 'value'; readonly than: Bytes }
  );

export type Operation = { readonly put: PutRequest } | { readonly range: RangeRequest } | { readonly delete: KeyRange };

export interface TxnRequest {
  /** All of them must be true. @defaultValue none: it is */
  readonly if?: readonly Compare[];
  readonly then?: readonly Operation[];
  readonly else?: readonly Operation[];
}

export interface WatchRequest extends KeyRange {
  /** The first revision whose changes are wanted. @defaultValue the next one */
  readonly startRevision?: bigint;
  /** Whether what a key was before is wanted too. @defaultValue false */
  readonly previous?: boolean;
}

/** The end of the range of all keys that begin so. */
export function prefixEnd(prefix: Bytes): Uint8Array {
  const bytes = Uint8Array.from(Buffer.from(prefix));
  // The next in order that does not begin so: the last byte that can be is one more, and what follows it is gone.
  for (let at = bytes.length - 1; at >= 0; at--) {
    if (bytes[at] === 0xff) continue;
    bytes[at] = (bytes[at] ?? 0) + 1;
    return bytes.subarray(0, at + 1);
  }
  // What etcd takes for the end of all keys.
  return Uint8Array.of(0);
}

type Json = Readonly<Record<string, unknown>>;

/** To etcd, an empty key is none. */
const KEY_OF_ALL = Uint8Array.of(0);

function base64(what: string, bytes: Bytes): string {
  if (typeof bytes === 'string') return Buffer.from(bytes).toString('base64');
  // Whoever writes JavaScript may hand in anything.
  if (!(bytes instanceof Uint8Array)) throw invalid(`${what} is of type ${typeof bytes}; expected a string or bytes.`);
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}

export function writeInt64(what: string, value: bigint): string {
  if (typeof value === 'bigint' && BigInt.asIntN(64, value) === value) return String(value);
  throw invalid(`${what} is ${textOfGiven(value)} (${typeof value}); expected a bigint of 64 bits.`);
}

function writeKeys({ key, rangeEnd }: KeyRange): Json {
  if (key.length === 0 && rangeEnd === undefined) throw invalid('A key is empty; expected at least one byte.');
  const first = key.length === 0 ? KEY_OF_ALL : key;
  return { key: base64('A key', first), ...(rangeEnd && { range_end: base64('The end of a range', rangeEnd) }) };
}

export function writeRange(request: RangeRequest): Json {
  const { limit, sort, revision, serializable, keysOnly, countOnly } = request;
  return {
    ...writeKeys(request),
    ...(limit !== undefined && { limit: writeInt64('limit', BigInt(limit)) }),
    ...(sort && { sort_target: sortTargets[sort.by], sort_order: sort.descending ? 'DESCEND' : 'ASCEND' }),
    ...(revision !== undefined && { revision: writeInt64('revision', revision) }),
    serializable,
    keys_only: keysOnly,
    count_only: countOnly,
  };
}

export function writePut({ key, value, lease }: PutRequest): Json {
  const base = { ...writeKeys({ key }), value: base64('A value', value) };
  return lease === undefined ? base : { ...base, lease: writeInt64('lease', lease) };
}

/** What is deleted is answered with. */
export function writeDelete(range: KeyRange): Json {
  return { ...writeKeys(range), prev_kv: true };
}

function writeCompare(compare: Compare): Json {
  const base = { ...writeKeys(compare), result: comparisons[compare.is] };
  if (compare.target === 'value') return { ...base, target: 'VALUE', value: base64('A value', compare.than) };
  const [target, field] = compareTargets[compare.target];
  return { ...base, target, [field]: writeInt64(compare.target, compare.than) };
}

function writeOperation(operation: Operation): Json {
  if ('put' in operation) return { request_put: writePut(operation.put) };
  if ('range' in operation) return { request_range: writeRange(operation.range) };
  return { request_delete_range: writeDelete(operation.delete) };
}

export function writeTxn({ if: compares = [], then = [], else: otherwise = [] }: TxnRequest): Json {
  return {
    compare: compares.map(writeCompare),
    success: then.map(writeOperation),
    failure: otherwise.map(writeOperation),
  };
}

/** Whether it cannot change anything. */
export function onlyReads({ then = [], else: otherwise = [] }: TxnRequest): boolean {
  return [...then, ...otherwise].every((operation) => 'range' in operation);
}

export function writeWatch(request: WatchRequest): Json {
  const { startRevision, previous } = request;
  return {
    create_request: {
      ...writeKeys(request),
      ...(startRevision !== undefined && { start_revision: writeInt64('startRevision', startRevision) }),
      prev_kv: previous,
      progress_notify: true,
    },
  };
}
