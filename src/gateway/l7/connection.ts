/**
 * The Connection field: what it says about this connection, and which fields it takes out of the message.
 *
 * Invariants: every option is a token; a field it names is dropped, wherever in the message it stands; an option that names
 * a field meant for everyone on the way (Host, Cookie, X-Forwarded-For, …) is not obeyed but refused, because obeying it
 * lets a client remove what another server relies on.
 *
 * Cost: the usual single `keep-alive`, `close` or `upgrade` is one comparison.
 * Sources: RFC 9110 §7.6.1, RFC 9112 §9.3 and §9.6.
 */
import { ascii } from '../../kernel/bytes.ts';
import { field, isProtected, sameName } from './fields.ts';
import { OK } from './head.ts';
import type { Head } from './head.ts';
import { COMMA, equalsFolded, skipBlanks, tokenEnd } from './syntax.ts';

/** Options that name fields; more than this in one message is no client's need and would cost options × fields. */
const OPTIONS_MAX = 32;

const KEEP_ALIVE = ascii('keep-alive');
const CLOSE = ascii('close');

/** Reads all Connection fields. Sets `closeListed`, `keepAliveListed`, `upgradeListed` and `drop`. */
export function readConnection(head: Head, buffer: Uint8Array): number {
  const first = head.connectionFirst;
  if (head.connectionCount === 1 && isUsual(head, buffer, head.valueStart[first]!, head.valueEnd[first]!)) return OK;
  for (let index = first; index !== -1; index = head.find(field.connection, index + 1)) {
    const verdict = readOptions(head, buffer, head.valueStart[index]!, head.valueEnd[index]!);
    if (verdict !== OK) return verdict;
  }
  return OK;
}

/**
 * The whole field is `keep-alive` or `close`, as nearly always: true, and noted. `| 32` folds case; what else it folds to these
 * letters and the dash are control characters, which no value has.
 */
function isUsual(head: Head, buffer: Uint8Array, from: number, to: number): boolean {
  switch (to - from) {
    case KEEP_ALIVE.length:
      for (let i = 0; i < KEEP_ALIVE.length; i += 1) if ((buffer[from + i]! | 32) !== KEEP_ALIVE[i]) return false;
      head.keepAliveListed = true;
      return true;
    case CLOSE.length:
      for (let i = 0; i < CLOSE.length; i += 1) if ((buffer[from + i]! | 32) !== CLOSE[i]) return false;
      head.closeListed = true;
      return true;
    default:
      return false;
  }
}

function readOptions(head: Head, buffer: Uint8Array, from: number, to: number): number {
  for (let at = from; at < to; at += 1) {
    at = skipBlanks(buffer, at, to);
    const option = at;
    at = tokenEnd(buffer, at, to);
    if (at > option && !readOption(head, buffer, option, at)) {
      return refuseOption(head, option, 'Connection names a field that may not be removed (RFC 9110 §7.6.1).');
    }
    at = skipBlanks(buffer, at, to);
    // An empty list element is allowed (RFC 9110 §5.6.1).
    if (at < to && buffer[at] !== COMMA) {
      return refuseOption(head, at, 'Connection has an option that is not a token (RFC 9110 §7.6.1).');
    }
    if (head.optionCount > OPTIONS_MAX) return refuseOption(head, at, 'Connection has too many options.');
  }
  return OK;
}

function refuseOption(head: Head, at: number, problem: string): number {
  head.position = at;
  return head.refuse('bad_connection_option', problem);
}

/** False if the option names a protected field. */
function readOption(head: Head, buffer: Uint8Array, from: number, to: number): boolean {
  switch (to - from) {
    case 10:
      if (equalsFolded(buffer, from, to, 'keep-alive')) {
        head.keepAliveListed = true;
        return true;
      }
      break;
    case 5:
      if (equalsFolded(buffer, from, to, 'close')) {
        head.closeListed = true;
        return true;
      }
      break;
    case 7:
      if (equalsFolded(buffer, from, to, 'upgrade')) {
        head.upgradeListed = true;
        return true;
      }
      break;
    default:
      break;
  }
  if (isProtected(buffer, from, to)) return false;
  head.optionCount += 1;
  dropNamed(head, buffer, from, to);
  return true;
}

function dropNamed(head: Head, buffer: Uint8Array, from: number, to: number): void {
  const length = to - from;
  for (let i = 0; i < head.count; i += 1) {
    const name = head.nameStart[i]!;
    if (head.nameEnd[i]! - name === length && sameName(buffer, from, to, buffer, name)) head.drop[i] = 1;
  }
}

/** The names of fields in Connection that are not standard, for a body's trailers, which they concern too. Empty as a rule. */
export function listedNames(head: Head): readonly string[] {
  if (head.optionCount === 0) return [];
  const listed: string[] = [];
  for (let i = head.connectionFirst; i !== -1; i = head.find(field.connection, i + 1)) {
    const value = head.text(head.valueStart[i]!, head.valueEnd[i]!);
    for (const option of value.split(',')) listed.push(option.trim().toLowerCase());
  }
  return listed;
}
