/**
 * `baggage`: names and values that go with a piece of work to whoever it calls. It leaves the house with every outgoing request: no secrets.
 *
 * Invariants: at most 64 members and 8,192 bytes in and out, what the standard asks everybody to pass on; members that are none, or do not
 * fit, are left out, the others stay. Of two with one name the last counts. Properties (`;like=this`) are not kept.
 * Values are any text; what is no UTF-8 when it is decoded becomes U+FFFD. Cost: O(bytes).
 * Source: W3C Baggage, §3.
 */
import { listMembers, trimBlanks } from './list-members.ts';
import { textOf } from './plain-text.ts';

export type Baggage = ReadonlyMap<string, string>;

const MEMBERS_MAX = 64;
const BYTES_MAX = 8192;
const KEY = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const VALUE = /^[\x21\x23-\x2b\x2d-\x3a\x3c-\x5b\x5d-\x7e]*$/;
const ENCODED = /(?:%[0-9a-fA-F]{2})+/g;

export const emptyBaggage: Baggage = new Map();

/** What can be read of it. Several fields are joined by commas beforehand. */
export function parseBaggage(text: string): Baggage {
  if (text === '') return emptyBaggage;
  const members = new Map<string, string>();
  for (const part of listMembers(whole(text))) {
    const [member = ''] = part.split(';', 1);
    const equals = member.indexOf('=');
    const key = trimBlanks(member.slice(0, equals));
    const value = trimBlanks(member.slice(equals + 1));
    if (equals === -1 || !KEY.test(key) || !VALUE.test(value)) continue;
    if (members.size < MEMBERS_MAX || members.has(key)) members.set(key, decode(value));
  }
  return members;
}

/** Empty if there is nothing to send. What plain JavaScript has put in is sent if it is a text, a number or the like. */
export function formatBaggage(baggage: unknown): string {
  const members: string[] = [];
  let length = -1;
  for (const [name, given] of entriesOf(baggage)) {
    const [key, value] = [textOf(name), textOf(given)];
    if (!KEY.test(key) || value.length > BYTES_MAX) continue;
    const member = `${key}=${encodeURIComponent(value.toWellFormed())}`;
    if (length + 1 + member.length > BYTES_MAX) continue;
    members.push(member);
    length += 1 + member.length;
    if (members.length === MEMBERS_MAX) break;
  }
  return members.join(',');
}

/** None if it is no map: a proxy of one is none either. */
function entriesOf(baggage: unknown): Iterable<readonly [unknown, unknown]> {
  try {
    return Map.prototype.entries.call(baggage as Map<unknown, unknown>);
  } catch {
    return [];
  }
}

/** As many whole members as fit. */
function whole(text: string): string {
  return text.length <= BYTES_MAX ? text : text.slice(0, Math.max(0, text.lastIndexOf(',', BYTES_MAX)));
}

function decode(value: string): string {
  return value.includes('%')
    ? value.replaceAll(ENCODED, (run) => Buffer.from(run.replaceAll('%', ''), 'hex').toString())
    : value;
}
