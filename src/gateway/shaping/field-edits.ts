/**
 * Changes to the fields of a message: what is removed, what is put in place of what was there, what is added.
 *
 * Invariants: fields that frame a message, that belong to the connection, or that the gateway itself writes cannot be named
 * (`refusedField`); a value has no control character, whatever the request held (template.ts).
 * Cost: the fields of the message × the names that are removed or set, compared by length first.
 */
import { ascii, copyBytes } from '../../kernel/bytes.ts';
import type { Head } from '../l7/head.ts';
import { equalsFolded } from '../l7/syntax.ts';
import type { FieldEditsPlan } from './plan.ts';
import type { PathNames } from './path-names.ts';
import { type ShapedRequest, Template } from './template.ts';

interface Line {
  /** `Name: ` */
  readonly name: Uint8Array;
  readonly value: Template;
}

const CRLF = ascii('\r\n');

export class FieldEdits {
  /** Lower case. */
  readonly #dropped: readonly string[];
  /** Lower case. */
  readonly #added: readonly string[];
  readonly #lines: readonly Line[];
  /** The lines, if no request changes them. */
  readonly #fixed: Uint8Array | null;

  constructor({ set, add, remove }: FieldEditsPlan, names: PathNames) {
    this.#dropped = [...set.map(({ name }) => name), ...remove].map((name) => name.toLowerCase());
    this.#added = add.map(({ name }) => name.toLowerCase());
    this.#lines = [...set, ...add].map(({ name, value }) => ({
      name: ascii(`${name}: `),
      value: new Template(value, 'field', names),
    }));
    const whole = this.#lines.map(({ name, value }) => (value.fixed === null ? null : [name, value.fixed, CRLF]));
    this.#fixed = whole.includes(null) ? null : Buffer.concat(whole.flatMap((line) => line ?? []));
  }

  /** It has a say in the field of this name, in lower case. */
  names(name: string): boolean {
    return this.replaces(name) || this.#added.includes(name);
  }

  /** What a message has under this name, in lower case, is not passed on. */
  replaces(name: string): boolean {
    return this.#dropped.includes(name);
  }

  /** Marks the fields of `head` that are not passed on. */
  drop(head: Head): void {
    const { buffer, count, drop, nameStart, nameEnd } = head;
    for (let index = 0; index < count; index++) {
      if (drop[index] === 1) continue;
      for (const name of this.#dropped) {
        if (equalsFolded(buffer, nameStart[index]!, nameEnd[index]!, name)) drop[index] = 1;
      }
    }
  }

  /** The most bytes that `write` writes. */
  room(request: ShapedRequest): number {
    let room = 0;
    for (const { name, value } of this.#lines) room += name.length + value.room(request) + CRLF.length;
    return room;
  }

  /** Writes the lines that are added at `at`; returns the index after them. */
  write(request: ShapedRequest, out: Uint8Array, at: number): number {
    for (const { name, value } of this.#lines) {
      at = copyBytes(name, 0, name.length, out, at);
      at = value.write(request, out, at);
      at = copyBytes(CRLF, 0, CRLF.length, out, at);
    }
    return at;
  }

  /** The same as bytes that last, for what is written when the request is gone. */
  lines(request: ShapedRequest): Uint8Array {
    if (this.#fixed !== null) return this.#fixed;
    const out = new Uint8Array(this.room(request));
    return out.subarray(0, this.write(request, out, 0));
  }
}

const framing = new Set(['connection', 'content-length', 'transfer-encoding', 'upgrade', 'trailer', 'te', 'expect']);
const perConnection = new Set(['keep-alive', 'proxy-connection', 'proxy', 'http2-settings', 'max-forwards']);
const forwarding = new Set(['via', 'forwarded', 'x-real-ip', 'x-request-id', 'traceparent', 'tracestate']);
/** Of an answer, those that are about the connection it came on. */
const upgrading = new Set(['sec-websocket-accept', 'sec-websocket-key', 'sec-websocket-version']);

/** Why a field of a request or an answer may not be edited, or null. */
export function refusedField(name: string, message: 'request' | 'answer'): string | null {
  const lower = name.toLowerCase();
  if (framing.has(lower))
    return 'it says where the message ends or what the connection does, which is the gateway’s to say';
  if (perConnection.has(lower)) return 'it concerns one connection and is never passed on';
  if (upgrading.has(lower)) return 'an upgrade depends on it';
  if (message === 'answer') return null;
  if (lower === 'host') return 'the host is changed by rewrite.host';
  if (forwarding.has(lower) || lower.startsWith('x-forwarded-'))
    return 'the gateway writes it itself: see forwarding of the listener';
  return lower === MIRROR_FIELD.toLowerCase() ? 'the gateway writes it itself, into copies' : null;
}

/** Tells a service that what it gets is a copy. */
export const MIRROR_FIELD = 'X-Spillway-Mirror';
