/**
 * The answer a route gives by itself: a redirect, or a fixed response.
 *
 * Invariants: `Content-Length` is that of the body a GET would get, also for HEAD, and absent where there cannot be one (RFC 9110
 * §8.6); a redirect to a path stays on this host whatever the request held: of slashes at its beginning one is left, because `//x` is
 * another host (RFC 3986 §4.2).
 */
import { STATUS_CODES } from 'node:http';
import { ascii, copyBytes } from '../../kernel/bytes.ts';
import type { FieldEdits } from './field-edits.ts';
import type { AnswerPlan } from './plan.ts';
import type { PathNames } from './path-names.ts';
import { type ShapedRequest, Template } from './template.ts';

export interface AnswerOptions {
  readonly wallMs: number;
  readonly close: boolean;
  /** It answers a HEAD. */
  readonly head: boolean;
}

const NO_BYTES = new Uint8Array(0);
const SLASH = 0x2f;
const QUESTION = 0x3f;

export class RouteAnswer {
  readonly status: number;
  readonly body: Uint8Array;
  /** It cannot be told without the request's host, which HTTP/1.0 may leave out. */
  readonly needsHost: boolean;
  readonly #to: Template | null;
  readonly #edits: FieldEdits | null;
  /** The edits have no say in its `Date`. */
  readonly #dated: boolean;
  /** Lines that are the same each time. */
  readonly #lines: string;

  constructor(plan: AnswerPlan, edits: FieldEdits | null, names: PathNames) {
    this.status = plan.status;
    this.body = plan.kind === 'respond' ? Buffer.from(plan.body) : NO_BYTES;
    this.#to = plan.kind === 'redirect' ? new Template(plan.to, placeOf(plan.to), names) : null;
    this.needsHost = plan.kind === 'redirect' && /:\/\/[^/?#]*\{host\}/.test(plan.to);
    this.#edits = edits;
    this.#dated = edits?.names('date') !== true;
    const type = plan.kind === 'respond' && plan.body !== '' && edits?.replaces('content-type') !== true;
    const typeLine = type ? `Content-Type: ${plan.contentType}\r\n` : '';
    const lengthLine = hasLength(plan.status) ? `Content-Length: ${this.body.length}\r\n` : '';
    this.#lines = `${typeLine}${lengthLine}`;
  }

  /** Where a redirect leads for this request; null if this is none. */
  location(request: ShapedRequest): Uint8Array | null {
    const template = this.#to;
    if (template === null) return null;
    const out = new Uint8Array(template.room(request));
    let end = template.write(request, out, 0);
    // A `?` with nothing behind it.
    if (end > 0 && out[end - 1] === QUESTION) end--;
    let start = 0;
    while (out[start] === SLASH && out[start + 1] === SLASH) start++;
    return out.subarray(start, end);
  }

  /** The whole response. */
  write(request: ShapedRequest, { wallMs, close, head }: AnswerOptions): Uint8Array<ArrayBuffer> {
    const location = this.location(request);
    const first = ascii(
      `HTTP/1.1 ${this.status} ${STATUS_CODES[this.status] ?? ''}\r\n` +
        (this.#dated ? `Date: ${new Date(wallMs).toUTCString()}\r\n` : '') +
        `${this.#lines}${close ? 'Connection: close\r\n' : ''}` +
        (location === null ? '' : `Location: ${Buffer.from(location).toString('latin1')}\r\n`),
    );
    const edits = this.#edits?.lines(request) ?? NO_BYTES;
    const body = head ? NO_BYTES : this.body;
    const out = new Uint8Array(first.length + edits.length + 2 + body.length);
    let at = copyBytes(first, 0, first.length, out, 0);
    at = copyBytes(edits, 0, edits.length, out, at);
    out[at] = 13;
    out[at + 1] = 10;
    copyBytes(body, 0, body.length, out, at + 2);
    return out;
  }
}

/** Where the template of a redirect begins. */
export function placeOf(to: string): 'path' | 'authority' {
  return to.startsWith('/') || to.startsWith('{path}') ? 'path' : 'authority';
}

/** Statuses whose answers have no content, and so no length of one (RFC 9110 §8.6, §15.4.5). */
export function hasLength(status: number): boolean {
  return status !== 204 && status !== 304;
}
