/**
 * A claim of the JSON Web Token that a request carries in `Authorization: Bearer …` (RFC 6750, RFC 7519).
 *
 * Nothing is verified here: whoever sends the request may have made up all of it. What is read is good for refusing and for
 * nothing else.
 * Cost: one pass over the fields; the token is decoded and parsed, a few microseconds, and not at all above `TOKEN_MAX`.
 */
import type { Head } from '../l7/head.ts';
import { nameOf, someField } from '../routing/request-values.ts';

/** Longer tokens hardly fit into a head. */
const TOKEN_MAX = 8192;

const AUTHORIZATION = nameOf('authorization');
const BEARER = /^bearer +[\w-]+\.([\w-]+)\.[\w-]*$/i;

/** A text, a number or a truth value as text; null if the request has no token, or the token no such claim. */
export function readClaim(head: Head, name: string): string | null {
  let payload: string | undefined;
  someField(head, AUTHORIZATION, (_bytes, from, to) => {
    if (to - from <= TOKEN_MAX) payload = BEARER.exec(head.text(from, to))?.[1];
    return payload !== undefined;
  });
  if (payload === undefined) return null;
  const claims = parsed(Buffer.from(payload, 'base64url').toString());
  if (typeof claims !== 'object' || claims === null || !Object.hasOwn(claims, name)) return null;
  const value = (claims as Readonly<Record<string, unknown>>)[name];
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  return typeof value === 'string' && value !== '' ? value : null;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
