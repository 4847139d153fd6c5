/**
 * What the answer of a collector means: it has all of it or a part, wants it again later, or will not have it.
 *
 * Pure. Source: OTLP 1.x, “OTLP/HTTP Response”: only 429, 502, 503 and 504 may be tried again, after `Retry-After` if there is one.
 */
import { exportResponse, type ExportResponse, status as statusMessage } from './answer-messages.ts';
import type { SecretParts } from './secret-parts.ts';

export type Answer =
  | { readonly kind: 'taken'; readonly rejected: number; readonly why: string }
  | { readonly kind: 'later'; readonly afterMs: number; readonly why: string }
  | { readonly kind: 'refused'; readonly why: string };

export interface HttpAnswer {
  readonly status: number;
  readonly contentType: string;
  readonly retryAfter: string | null;
  readonly body: Uint8Array;
}

const PROTOBUF = 'application/x-protobuf';
const JSON_TYPE = 'application/json';
const RETRIED: readonly number[] = [429, 502, 503, 504];

/** Of what it says, as it stands in a log. */
const WORDS_MAX = 200;
export interface ReadingOptions {
  readonly wallMs: number;
  /** What must be in no log, whatever the answer repeats. */
  readonly secrets: SecretParts;
}

export function readAnswer(answer: HttpAnswer, { wallMs, secrets }: ReadingOptions): Answer {
  const { status, contentType, retryAfter, body } = answer;
  if (status >= 200 && status < 300) return taken(contentType, body, secrets);
  const why = [`it answered ${status}`, ...asLogged(wordsIn(contentType, body), secrets)].join('');
  return RETRIED.includes(status)
    ? { kind: 'later', afterMs: delayOf(retryAfter, wallMs), why }
    : { kind: 'refused', why };
}

/** On one line of a log, and no more of it than is read there; nothing if it says nothing. */
function asLogged(words: string, secrets: SecretParts): string[] {
  const line = words
    .slice(0, WORDS_MAX)
    .replaceAll(/[^\x21-\x7e]+/g, ' ')
    .trim();
  if (line === '') return [];
  if (secrets.isTooShort) return ['; what it says of it is not shown, where a header has a value of a few characters'];
  return secrets.isIn(line) ? ['; what it says of it has a part of a header’s value and is not shown'] : [`: ${line}`];
}

/** The message of a `Status`, or what else is there. */
function wordsIn(contentType: string, body: Uint8Array): string {
  const text = Buffer.from(body).toString('utf8');
  try {
    if (contentType.startsWith(PROTOBUF)) return statusMessage.decode(body).message ?? '';
    if (!contentType.startsWith(JSON_TYPE)) return text;
    const { message } = JSON.parse(text) as { message?: unknown };
    return typeof message === 'string' ? message : text;
  } catch {
    return text;
  }
}

function taken(contentType: string, body: Uint8Array, secrets: SecretParts): Answer {
  try {
    const { partialSuccess: part = {} } = contentType.startsWith(JSON_TYPE)
      ? fromJson(body)
      : exportResponse.decode(body);
    const rejected = Math.trunc(part.rejected ?? 0);
    // Of what is no number nothing was rejected.
    return {
      kind: 'taken',
      rejected: rejected > 0 ? rejected : 0,
      why: asLogged(part.errorMessage ?? '', secrets).join(''),
    };
  } catch {
    // It says that it has it; what else it says is not understood.
    return { kind: 'taken', rejected: 0, why: '' };
  }
}

function fromJson(body: Uint8Array): ExportResponse {
  const { partialSuccess: part = {} } = JSON.parse(Buffer.from(body).toString()) as { partialSuccess?: Record<string, unknown> }; // prettier-ignore
  const rejected = Object.entries(part).find(([name]) => name.startsWith('rejected'))?.[1];
  const { errorMessage } = part;
  return {
    partialSuccess: {
      rejected: Number(rejected ?? 0),
      ...(typeof errorMessage === 'string' && { errorMessage }),
    },
  };
}

/** Seconds or a date (RFC 9110 §10.2.3); zero if it says neither. */
function delayOf(retryAfter: string | null, wallMs: number): number {
  if (retryAfter === null) return 0;
  const ms = /^\d{1,9}$/.test(retryAfter) ? 1000 * Number(retryAfter) : Date.parse(retryAfter) - wallMs;
  return Number.isFinite(ms) ? Math.max(0, ms) : 0;
}
