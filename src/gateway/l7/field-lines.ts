/**
 * The field lines of a head: one pass from the first name to the empty line, storing offsets.
 *
 *     field-line = field-name ":" OWS field-value OWS CRLF
 *
 * Invariant: the scan goes from left to right and stops at the first byte that cannot stand where it is, so the verdict on
 * the whole is the verdict on the shortest prefix that has one: how the bytes were cut into reads changes nothing.
 *
 * Cost: 2 to 4 ns a byte; a fifth to a half of it where `field-scan.ts` could read them (head.bench.ts, ADR 12).
 * Sources: RFC 9112 §2.2 and §5, RFC 9110 §5.5 and §5.6.2.
 */
import { DROP_REQUEST, DROP_RESPONSE, LOOK_REQUEST, LOOK_RESPONSE, fieldFlags, fieldId } from './fields.ts';
import { type FieldRoom, REQUEST_FLAGS, RESPONSE_FLAGS } from './field-scan.ts';
import { readField } from './framing.ts';
import { MORE, OK as ACCEPTED } from './head.ts';
import type { Head } from './head.ts';
import { isPlainName as plainName } from './syntax.ts';

// Own constants, not imported ones: an import is read from memory at each use, which is 10 % of a head (head.bench.ts).
const OK = ACCEPTED;
const isPlainName = plainName;
const TAB = 9;
const LF = 10;
const CR = 13;
const SP = 32;
const COLON = 58;
const UNDERSCORE = 95;
const DEL = 127;

/** Whose head this is, and with it what a name containing an underscore means. */
export const REQUEST_REJECT = 0;
export const REQUEST_DROP = 1;
export const RESPONSE = 2;

/**
 * Reads the fields that begin at `at`. `stop` is where the bytes end or the limit is, whichever is first; `atLimit` says which.
 */
export function parseFieldLines(
  head: Head,
  buffer: Uint8Array,
  at: number,
  stop: number,
  atLimit: boolean,
  fieldsMax: number,
  kind: number,
): number {
  const { room } = head;
  if (buffer === room?.bytes) {
    const flags = kind === RESPONSE ? RESPONSE_FLAGS : REQUEST_FLAGS;
    const found = room.lines(at, stop, room.address, fieldsMax, flags);
    if (found !== -1) return takeFields(head, room, at, found, kind === RESPONSE);
  }
  return readLines(head, buffer, at, stop, atLimit, fieldsMax, kind);
}

function readLines(
  head: Head,
  buffer: Uint8Array,
  at: number,
  stop: number,
  atLimit: boolean,
  fieldsMax: number,
  kind: number,
): number {
  const dropFlag = kind === RESPONSE ? DROP_RESPONSE : DROP_REQUEST;
  const lookFlag = kind === RESPONSE ? LOOK_RESPONSE : LOOK_REQUEST;
  let { nameStart, nameEnd, valueStart, valueEnd, lineEnd, id, drop } = head;
  let count = 0;
  for (;;) {
    if (at >= stop) return incomplete(head, stop, atLimit);
    let byte = buffer[at]!;
    if (byte === CR) {
      if (at + 1 >= stop) return incomplete(head, stop, atLimit);
      if (buffer[at + 1] !== LF) return badLine(head, buffer, at);
      head.count = count;
      head.end = at + 2;
      head.position = at + 2;
      return OK;
    }
    if (count >= fieldsMax) return tooMany(head, at);
    if (count === id.length) {
      head.grow();
      ({ nameStart, nameEnd, valueStart, valueEnd, lineEnd, id, drop } = head);
    }

    // Name
    const name = at;
    let dropped = 0;
    for (;;) {
      while (isPlainName[byte] === 1) {
        if (++at >= stop) return incomplete(head, stop, atLimit);
        byte = buffer[at]!;
      }
      if (byte !== UNDERSCORE) break;
      if (kind === REQUEST_REJECT) return underscore(head, at);
      if (kind === REQUEST_DROP) dropped = 1;
      if (++at >= stop) return incomplete(head, stop, atLimit);
      byte = buffer[at]!;
    }
    if (byte !== COLON || at === name) return badName(head, byte, at, name, count);
    const colon = at;

    // Value, without the blanks around it
    do {
      if (++at >= stop) return incomplete(head, stop, atLimit);
      byte = buffer[at]!;
    } while (byte === SP || byte === TAB);
    const value = at;
    for (;;) {
      while (byte >= SP && byte !== DEL) {
        if (++at >= stop) return incomplete(head, stop, atLimit);
        byte = buffer[at]!;
      }
      if (byte !== TAB) break;
      if (++at >= stop) return incomplete(head, stop, atLimit);
      byte = buffer[at]!;
    }
    if (byte !== CR) return badLine(head, buffer, at);
    if (at + 1 >= stop) return incomplete(head, stop, atLimit);
    if (buffer[at + 1] !== LF) return badLine(head, buffer, at);
    let last = at;
    while (last > value && (buffer[last - 1] === SP || buffer[last - 1] === TAB)) last -= 1;
    at += 2;

    nameStart[count] = name;
    nameEnd[count] = colon;
    valueStart[count] = value;
    valueEnd[count] = last;
    lineEnd[count] = at;
    const known = dropped === 1 ? 0 : fieldId(buffer, name, colon);
    id[count] = known;
    const flags = fieldFlags[known]!;
    drop[count] = (flags & dropFlag) !== 0 ? 1 : dropped;
    if ((flags & lookFlag) !== 0) {
      const verdict = readField(head, buffer, known, count, kind === RESPONSE);
      if (verdict !== OK) {
        head.position = name;
        return verdict;
      }
    }
    count += 1;
  }
}

/** What `FieldRoom.lines` has found and left in the head's arrays. */
function takeFields(head: Head, room: FieldRoom, at: number, found: number, isResponse: boolean): number {
  const looks = found >> 16;
  for (let i = 0; i < looks; i += 1) {
    const index = room.look[i]!;
    const verdict = readField(head, room.bytes, room.id[index]!, index, isResponse);
    if (verdict !== OK) {
      head.position = room.nameStart[index]!;
      return verdict;
    }
  }
  const count = found & 0xffff;
  const end = (count === 0 ? at : room.lineEnd[count - 1]!) + 2;
  head.count = count;
  head.end = end;
  head.position = end;
  return OK;
}

function incomplete(head: Head, stop: number, atLimit: boolean): number {
  head.position = stop;
  return atLimit ? head.refuse('head_too_large', 'The head has more bytes than the limit (RFC 6585 §5).') : MORE;
}

function tooMany(head: Head, at: number): number {
  head.position = at;
  return head.refuse('head_too_large', 'The head has more fields than the limit (RFC 6585 §5).');
}

function underscore(head: Head, at: number): number {
  head.position = at;
  return head.refuse('underscore_name', 'A field name has an underscore, which some servers read as a dash.');
}

function badName(head: Head, byte: number, at: number, name: number, count: number): number {
  head.position = at;
  const blank = byte === SP || byte === TAB;
  if (at === name && blank) {
    return head.refuse(
      'bad_field',
      count === 0
        ? 'There is white space before the first field (RFC 9112 §2.2).'
        : 'A field line is folded (RFC 9112 §5.2).',
    );
  }
  if (at === name && byte === COLON) return head.refuse('bad_field', 'A field has no name (RFC 9110 §5.1).');
  if (blank) return head.refuse('bad_field', 'There is white space before the colon of a field (RFC 9112 §5.1).');
  if (byte === LF) return head.refuse('bad_field', 'A line ends with a bare LF (RFC 9112 §2.2).');
  if (byte === CR) return head.refuse('bad_field', 'A field line has no colon (RFC 9112 §5).');
  return head.refuse('bad_field', 'A field name has a character that is not allowed in a token (RFC 9110 §5.1).');
}

function badLine(head: Head, buffer: Uint8Array, at: number): number {
  head.position = at;
  const byte = buffer[at];
  if (byte === LF) return head.refuse('bad_field', 'A line ends with a bare LF (RFC 9112 §2.2).');
  if (byte === CR) return head.refuse('bad_field', 'A CR is not followed by LF (RFC 9112 §2.2).');
  return head.refuse('bad_field', 'A field value has a control character (RFC 9110 §5.5).');
}
