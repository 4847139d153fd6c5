/**
 * What an answer of etcd means for whoever asked: done, refused, or not done for now; and, of a change that failed, whether it may have been
 * done all the same. Pure.
 *
 * An error is a number of gRPC and a sentence, in one of the forms that its gateway has had: `{error, code, message}` (3.4, 3.5),
 * `{code, message}` (3.6), and `{error: {grpc_code, message}}` in a stream.
 */
import { fieldsOf, GarbledAnswer } from './answers.ts';

type Fields = Readonly<Record<string, unknown>>;

export type Verdict =
  | { readonly kind: 'done'; readonly answer: Fields }
  /** Another server, or the same one later, may do it. */
  | { readonly kind: 'failed'; readonly why: string; readonly changed: 'no' | 'maybe' }
  /** The token is no longer one, or none was sent. Nothing was done. */
  | { readonly kind: 'unauthenticated'; readonly why: string }
  /** It names a lease that there is not. Nothing was done. */
  | { readonly kind: 'lease gone'; readonly why: string }
  /** It will not be done until somebody changes something. */
  | { readonly kind: 'refused'; readonly why: string };

/** Of gRPC: INVALID_ARGUMENT, NOT_FOUND, ALREADY_EXISTS, PERMISSION_DENIED, FAILED_PRECONDITION, OUT_OF_RANGE, UNIMPLEMENTED, UNAUTHENTICATED. */
const refusals: ReadonlySet<unknown> = new Set([3, 5, 6, 7, 9, 11, 12, 16]);

/** Sentences that mean more than their number. Those of UNAVAILABLE that are not here may come after the change was proposed. */
const LEASE_GONE = /requested lease not found/;
const UNAUTHENTICATED = /invalid auth token|user name is empty|revision of auth store is old/;
/** Of RESOURCE_EXHAUSTED, whose others pass. */
const TOO_MUCH = /database space exceeded|larger than max/;
const NOT_BEGUN = /no leader|too many requests/;

export function verdictOfError(code: unknown, why: string): Verdict {
  if (UNAUTHENTICATED.test(why)) return { kind: 'unauthenticated', why };
  if (LEASE_GONE.test(why)) return { kind: 'lease gone', why };
  if (refusals.has(code) || TOO_MUCH.test(why)) return { kind: 'refused', why };
  return { kind: 'failed', why: `answered: ${why}`, changed: NOT_BEGUN.test(why) ? 'no' : 'maybe' };
}

/** Long enough for any sentence of etcd's, and no page of a proxy in a message. */
const WHY_LENGTH_MAX = 200;

/** What came is not of etcd; so nobody knows what became of the question. */
function foreign(what: string): Verdict {
  return { kind: 'failed', why: `sent what is no answer of etcd: ${what}`, changed: 'maybe' };
}

/** Of a text that should be JSON: all of an answer, or one line of a stream. */
export function verdictOfText(text: string): Verdict {
  let fields: Fields;
  try {
    fields = fieldsOf(JSON.parse(text), 'it');
  } catch (error) {
    return foreign(error instanceof GarbledAnswer ? error.message : 'it is not JSON');
  }
  const { error, result, code, message } = fields;
  if (error !== null && typeof error === 'object') {
    const inner = error as Fields;
    return verdictOfError(inner['grpc_code'] ?? inner['code'], sentence(inner['message']));
  }
  if (typeof error === 'string' || code !== undefined) return verdictOfError(code, sentence(message ?? error));
  if (result === undefined) return { kind: 'done', answer: fields };
  return result !== null && typeof result === 'object'
    ? { kind: 'done', answer: result as Fields }
    : foreign('its result is not an object');
}

function sentence(message: unknown): string {
  return typeof message === 'string' ? message.slice(0, WHY_LENGTH_MAX) : 'an error without a message';
}

export interface Head {
  readonly statusCode?: number | undefined;
  readonly headers: { readonly 'content-type'?: string | undefined };
}

/** Null if an answer that begins so may be of etcd's gateway. */
export function verdictOfHead({ statusCode, headers }: Head): Verdict | null {
  const type = headers['content-type'] ?? 'none';
  if (type.startsWith('application/json')) return null;
  return foreign(`status ${statusCode}, and its type is ${type.slice(0, WHY_LENGTH_MAX)}, not application/json`);
}

export function verdictOf(head: Head, text: string): Verdict {
  const verdict = verdictOfHead(head) ?? verdictOfText(text);
  return verdict.kind === 'done' && head.statusCode !== 200 ? foreign(`status ${head.statusCode}`) : verdict;
}
