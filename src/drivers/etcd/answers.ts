/**
 * What etcd answers, read: the other half of messages.ts. What a server sends is believed of nothing: an answer that is not of its form
 * throws a `GarbledAnswer`, whatever is in it. Pure.
 */
import type { KeyValue } from './messages.ts';

export interface RangeAnswer {
  /** Of the store when it was asked. */
  readonly revision: bigint;
  readonly kvs: readonly KeyValue[];
  /** Of all that are in the range, also beyond the limit. */
  readonly count: number;
  readonly more: boolean;
}

export interface PutAnswer {
  readonly revision: bigint;
}

export interface DeleteAnswer {
  readonly revision: bigint;
  readonly deleted: readonly KeyValue[];
}

/** What each operation of a transaction answered, in their order. */
export type OperationAnswer =
  | { readonly kind: 'put' }
  | { readonly kind: 'range'; readonly kvs: readonly KeyValue[]; readonly count: number; readonly more: boolean }
  | { readonly kind: 'delete'; readonly deleted: readonly KeyValue[] };

export interface TxnAnswer {
  /** If anything was changed, it was by this revision. */
  readonly revision: bigint;
  /** Whether `then` was done; otherwise `else` was. */
  readonly succeeded: boolean;
  readonly answers: readonly OperationAnswer[];
}

export interface LeaseAnswer {
  readonly id: bigint;
  /** As the server granted it: it rounds up what is shorter than its elections take. */
  readonly ttlS: number;
}

export interface LeaseLife {
  /** Until it ends. */
  readonly ttlS: number;
  readonly grantedTtlS: number;
  readonly keys: readonly Uint8Array[];
}

export interface StatusAnswer {
  readonly version: string;
  readonly memberId: bigint;
  /** As this server sees it; 0n: it sees none. */
  readonly leaderId: bigint;
  readonly revision: bigint;
  readonly dbSizeBytes: number;
}

export type WatchEvent =
  | { readonly kind: 'put'; readonly kv: KeyValue; readonly previous: KeyValue | null }
  | {
      readonly kind: 'delete';
      readonly key: Uint8Array;
      readonly revision: bigint;
      readonly previous: KeyValue | null;
    }
  /** Nothing has happened up to this revision that was not told. */
  | { readonly kind: 'progress'; readonly revision: bigint }
  /**
   * Changes were missed, and the watch is over: read what there is, and watch from there. `compacted`: the server has forgotten what was
   * before `revision`. `rewound`: it has lost its data and is at `revision` now, which is before what was told.
   */
  | { readonly kind: 'gap'; readonly why: 'compacted' | 'rewound'; readonly revision: bigint };

/** One line of a watch. */
export interface WatchLine {
  readonly revision: bigint;
  readonly created: boolean;
  /** Null if it goes on, else why not. */
  readonly canceled: string | null;
  /** 0n: it was not compacted. */
  readonly compactRevision: bigint;
  readonly events: readonly (WatchEvent & { readonly kind: 'put' | 'delete' })[];
}

/** What came is not what etcd answers. Never leaves the driver. */
export class GarbledAnswer extends Error {}

type Fields = Readonly<Record<string, unknown>>;

export function fieldsOf(value: unknown, what: string): Fields {
  if (value !== null && typeof value === 'object' && !Array.isArray(value)) return value as Fields;
  throw new GarbledAnswer(`${what} is not an object`);
}

function listOf(value: unknown, what: string): readonly unknown[] {
  if (value === undefined) return [];
  if (Array.isArray(value)) return value;
  throw new GarbledAnswer(`${what} is not a list`);
}

function int64Of(value: unknown, what: string): bigint {
  if (value === undefined) return 0n;
  if (typeof value === 'string' && /^-?\d{1,20}$/.test(value)) return BigInt(value);
  if (Number.isSafeInteger(value)) return BigInt(value as number);
  throw new GarbledAnswer(`${what} is not an integer`);
}

function countOf(value: unknown, what: string): number {
  const count = Number(int64Of(value, what));
  if (Number.isSafeInteger(count)) return count;
  throw new GarbledAnswer(`${what} is too large`);
}

export function textOf(value: unknown, what: string): string {
  if (value === undefined) return '';
  if (typeof value === 'string') return value;
  throw new GarbledAnswer(`${what} is not a text`);
}

function bytesOf(value: unknown, what: string): Uint8Array {
  return Buffer.from(textOf(value, what), 'base64');
}

function keyValueOf(value: unknown): KeyValue {
  const kv = fieldsOf(value, 'a key');
  return {
    key: bytesOf(kv['key'], 'key'),
    value: bytesOf(kv['value'], 'value'),
    createRevision: int64Of(kv['create_revision'], 'create_revision'),
    modRevision: int64Of(kv['mod_revision'], 'mod_revision'),
    version: int64Of(kv['version'], 'version'),
    lease: int64Of(kv['lease'], 'lease'),
  };
}

function revisionOf(answer: Fields): bigint {
  return int64Of(fieldsOf(answer['header'], 'the header')['revision'], 'revision');
}

function rangeOf(answer: Fields): Omit<RangeAnswer, 'revision'> {
  return {
    kvs: listOf(answer['kvs'], 'kvs').map(keyValueOf),
    count: countOf(answer['count'], 'count'),
    more: answer['more'] === true,
  };
}

const deletedOf = (answer: Fields): readonly KeyValue[] => listOf(answer['prev_kvs'], 'prev_kvs').map(keyValueOf);

export function readRange(answer: Fields): RangeAnswer {
  return { revision: revisionOf(answer), ...rangeOf(answer) };
}

export function readPut(answer: Fields): PutAnswer {
  return { revision: revisionOf(answer) };
}

export function readDelete(answer: Fields): DeleteAnswer {
  return { revision: revisionOf(answer), deleted: deletedOf(answer) };
}

function operationOf(value: unknown): OperationAnswer {
  const answer = fieldsOf(value, 'a response');
  const { response_range: range, response_put: put, response_delete_range: deletion } = answer;
  if (range !== undefined) return { kind: 'range', ...rangeOf(fieldsOf(range, 'response_range')) };
  if (deletion !== undefined) {
    return { kind: 'delete', deleted: deletedOf(fieldsOf(deletion, 'response_delete_range')) };
  }
  if (put !== undefined) return { kind: 'put' };
  throw new GarbledAnswer('a response is to nothing that was asked');
}

export function readTxn(answer: Fields): TxnAnswer {
  return {
    revision: revisionOf(answer),
    succeeded: answer['succeeded'] === true,
    answers: listOf(answer['responses'], 'responses').map(operationOf),
  };
}

export function readGrant(answer: Fields): LeaseAnswer {
  const id = int64Of(answer['ID'], 'ID');
  if (id === 0n) throw new GarbledAnswer('a lease has no ID');
  return { id, ttlS: countOf(answer['TTL'], 'TTL') };
}

/** Null: there is no such lease. */
export function readKeepAlive(answer: Fields): LeaseAnswer | null {
  const lease = readGrant(answer);
  return lease.ttlS > 0 ? lease : null;
}

/** Null: there is no such lease. */
export function readTimeToLive(answer: Fields): LeaseLife | null {
  const ttlS = countOf(answer['TTL'], 'TTL');
  if (ttlS < 0) return null;
  const keys = listOf(answer['keys'], 'keys').map((key) => bytesOf(key, 'a key'));
  return { ttlS, grantedTtlS: countOf(answer['grantedTTL'], 'grantedTTL'), keys };
}

export function readStatus(answer: Fields): StatusAnswer {
  const header = fieldsOf(answer['header'], 'the header');
  return {
    version: textOf(answer['version'], 'version'),
    memberId: int64Of(header['member_id'], 'member_id'),
    leaderId: int64Of(answer['leader'], 'leader'),
    revision: revisionOf(answer),
    dbSizeBytes: countOf(answer['dbSize'], 'dbSize'),
  };
}

function eventOf(value: unknown): WatchLine['events'][number] {
  const event = fieldsOf(value, 'an event');
  const kv = keyValueOf(event['kv']);
  const previous = event['prev_kv'] === undefined ? null : keyValueOf(event['prev_kv']);
  if (event['type'] === undefined || event['type'] === 'PUT') return { kind: 'put', kv, previous };
  if (event['type'] === 'DELETE') return { kind: 'delete', key: kv.key, revision: kv.modRevision, previous };
  throw new GarbledAnswer('an event is of no type that there is');
}

export function readWatch(answer: Fields): WatchLine {
  const reason = textOf(answer['cancel_reason'], 'cancel_reason');
  return {
    revision: revisionOf(answer),
    created: answer['created'] === true,
    canceled: answer['canceled'] === true ? reason || 'no reason given' : null,
    compactRevision: int64Of(answer['compact_revision'], 'compact_revision'),
    events: listOf(answer['events'], 'events').map(eventOf),
  };
}
