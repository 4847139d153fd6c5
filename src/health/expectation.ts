/**
 * What an answer to a check must be, and the words for what it was instead.
 *
 * Decisions over what was received, without a socket: the head of an HTTP answer at once, its body and a banner piece by
 * piece, so that nothing is kept of them. The first thing that is wrong is the verdict. A reason names what was found and
 * what was expected, in printable ASCII and of bounded length, whatever a server sends.
 *
 * Patterns have `*` for any characters and nothing else: matching takes O(value × pattern) at worst, where a regular
 * expression can take for ever. Values over `VALUE_CHARACTERS_MAX` match nothing.
 *
 * What it is not: gRPC (`grpc-health.ts`), and the verdict over several checks (`active.ts`).
 */
import type { CheckFailureCode, CheckResult } from './active.ts';
import { ByteSearch } from './byte-search.ts';

export interface StatusRange {
  readonly from: number;
  /** Inclusive. */
  readonly to: number;
}

export interface HeaderExpectation {
  /** In any case. */
  readonly name: string;
  /** Null: it must be there. `*` stands for any characters, none included; the case of letters counts. */
  readonly value: string | null;
}

export interface HttpExpectation {
  readonly status: readonly StatusRange[];
  readonly headers: readonly HeaderExpectation[];
  /** What the body must contain within its first `BODY_BYTES_MAX`; null: anything. Not empty. */
  readonly body: string | null;
}

export interface TcpExpectation {
  /** What is sent once connected; null: nothing. */
  readonly send: string | null;
  /** What the first `BANNER_BYTES_MAX` must contain; null: a connection is enough. Not empty. */
  readonly expect: string | null;
}

/** A health page over this is cut, and counts as answered. */
export const BODY_BYTES_MAX = 16_384;
/** Greetings are a line or a few. */
export const BANNER_BYTES_MAX = 4_096;
/** As much as a head may be in all. */
const VALUE_CHARACTERS_MAX = 16_384;
/** Of something that a server sent or somebody configured, in a reason. */
const SHOWN_CHARACTERS = 80;

/** Node's form: lower-case names, a list where a field came more than once. */
export type ReceivedHeaders = Readonly<Record<string, string | readonly string[] | undefined>>;

/** Of the head of an answer. A success stands only if there is no body to wait for. */
export function judgeHead(expectation: HttpExpectation, status: number, headers: ReceivedHeaders): CheckResult {
  if (!expectation.status.some(({ from, to }) => status >= from && status <= to)) {
    return failure('status', `status ${status}, expected ${expectation.status.map(rangeText).join(', ')}`);
  }
  for (const { name, value } of expectation.headers) {
    const found = valuesOf(headers, name);
    if (found.length === 0) return failure('header', `status ${status} without the field ${shown(name)}`);
    if (value !== null && !found.some((one) => matchesPattern(one, value))) {
      return failure('header', `${shown(name)} is "${shown(found[0]!)}", expected "${shown(value)}"`);
    }
  }
  return { kind: 'success', reason: `status ${status}` };
}

/** Bytes of a body or a banner, and the verdict so far. */
export interface Reading {
  /** Null: more must be read. */
  push(chunk: Uint8Array): CheckResult | null;
  /** The last word, when it has ended. */
  end(): CheckResult;
}

/** Reads the body of an answer whose head was fine; `head` is that verdict. */
export function readBody({ body }: HttpExpectation, head: CheckResult): Reading {
  if (body === null || head.kind === 'failure') return readAll(head);
  const failed = (search: ByteSearch): CheckResult =>
    failure('body', `${head.reason}, but ${notFound('its body', search, body)}`);
  return readFor(body, BODY_BYTES_MAX, { kind: 'success', reason: `${head.reason}, "${shown(body)}" found` }, failed);
}

/** Reads what a server says on a fresh connection. */
export function readBanner({ expect }: TcpExpectation): Reading {
  if (expect === null) return readAll({ kind: 'success', reason: 'accepted a connection' });
  const failed = (search: ByteSearch): CheckResult => failure('banner', notFound('the banner', search, expect));
  return readFor(expect, BANNER_BYTES_MAX, { kind: 'success', reason: `said "${shown(expect)}"` }, failed);
}

/** Nothing is expected, so the end is enough; what does not end is cut. */
function readAll(verdict: CheckResult): Reading {
  let bytes = 0;
  return {
    push(chunk) {
      bytes += chunk.length;
      return bytes > BODY_BYTES_MAX ? verdict : null;
    },
    end: () => verdict,
  };
}

function readFor(
  word: string,
  bytesMax: number,
  success: CheckResult,
  failed: (search: ByteSearch) => CheckResult,
): Reading {
  const search = new ByteSearch({ word: new TextEncoder().encode(word), bytesMax });
  const end = (): CheckResult => (search.found ? success : failed(search));
  return {
    push(chunk) {
      search.push(chunk);
      return search.done ? end() : null;
    },
    end,
  };
}

function notFound(subject: string, search: ByteSearch, word: string): string {
  if (search.bytes === 0) return `${subject} is empty, expected "${shown(word)}"`;
  return `${subject} does not contain "${shown(word)}" in ${search.bytes} bytes; it begins "${search.head}"`;
}

function valuesOf(headers: ReceivedHeaders, name: string): readonly string[] {
  const lower = name.toLowerCase();
  const value = Object.hasOwn(headers, lower) ? headers[lower] : undefined;
  return value === undefined ? [] : typeof value === 'string' ? [value] : value;
}

/**
 * Whether `pattern`, with `*` for any characters, covers all of `value`. Only the last star is ever tried again: what an earlier
 * one could take, a later one can take as well.
 */
export function matchesPattern(value: string, pattern: string): boolean {
  if (value.length > VALUE_CHARACTERS_MAX) return false;
  let [at, patternAt, afterStar, starValueAt] = [0, 0, -1, 0];
  while (at < value.length) {
    if (pattern[patternAt] === '*') {
      afterStar = ++patternAt;
      starValueAt = at;
    } else if (pattern[patternAt] === value[at]) {
      patternAt += 1;
      at += 1;
    } else if (afterStar >= 0) {
      patternAt = afterStar;
      at = ++starValueAt;
    } else return false;
  }
  while (pattern[patternAt] === '*') patternAt += 1;
  return patternAt === pattern.length;
}

function failure(code: CheckFailureCode, reason: string): CheckResult {
  return { kind: 'failure', code, reason };
}

function rangeText({ from, to }: StatusRange): string {
  return from === to ? `${from}` : `${from}-${to}`;
}

function shown(text: string): string {
  const printable = text.slice(0, SHOWN_CHARACTERS).replaceAll(/[^\x20-\x7e]/g, '?');
  return text.length > SHOWN_CHARACTERS ? `${printable}…` : printable;
}
