/**
 * Sends JSON to an address of the config. Redirects are not followed, names are not looked up to link-local addresses or to where a
 * cloud hands out credentials, and of an answer only the status counts: what is behind an address cannot be read through an alert.
 */
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { urlToHttpOptions } from 'node:url';
import { isLinkLocal, lookupFor } from '../link-local.ts';

/** A receiver that takes longer is as good as gone; the next try may do. */
const TIMEOUT_MS = 10_000;

export type Delivery =
  | { readonly kind: 'done' }
  /** May be taken later; `afterMs` if the receiver said when. */
  | { readonly kind: 'later'; readonly reason: string; readonly afterMs: number | null }
  /** Will never be taken. */
  | { readonly kind: 'refused'; readonly reason: string };

/** Never throws. Nothing that is said of a failure repeats the address, which may be a secret. */
export function postJson(url: string, body: string, signal: AbortSignal): Promise<Delivery> {
  const target = new URL(url);
  const host = target.hostname.replace(/^\[|\]$/g, '');
  if (isLinkLocal(host)) return Promise.resolve({ kind: 'refused', reason: 'the address is link-local' });
  const place = optionsOf(target);
  if (place === null)
    return Promise.resolve({ kind: 'refused', reason: 'a % in its user or password is none of %00 to %FF' });
  const { promise, resolve } = Promise.withResolvers<Delivery>();
  const deadline = AbortSignal.timeout(TIMEOUT_MS);
  const later = (reason: string): void => resolve({ kind: 'later', reason, afterMs: null });
  const request = (target.protocol === 'https:' ? httpsRequest : httpRequest)({
    ...place,
    method: 'POST',
    headers: {
      'Content-Type': 'application/json',
      'Content-Length': Buffer.byteLength(body),
      'User-Agent': 'spillway',
      Connection: 'close',
    },
    agent: false,
    lookup: lookupFor(false),
    signal: AbortSignal.any([signal, deadline]),
  });
  request.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'ADDRESS_REFUSED') resolve({ kind: 'refused', reason: 'its name is a link-local address' });
    else later(deadline.aborted ? `no answer within ${TIMEOUT_MS / 1000} s` : (error.code ?? 'it failed'));
  });
  request.on('response', (response) => {
    // What it says is nobody's business; reading it would let it go on for ever.
    response.on('error', () => {});
    const { statusCode: status = 0, headers } = response;
    response.destroy();
    if (status >= 200 && status < 300) resolve({ kind: 'done' });
    else if (status === 429 || status === 408 || status >= 500) {
      resolve({ kind: 'later', reason: `status ${status}`, afterMs: retryAfterMs(headers['retry-after']) });
    } else resolve({ kind: 'refused', reason: `status ${status}` });
  });
  request.end(body);
  return promise;
}

/** Null if the user or the password cannot be decoded, which is no mistake to a URL. */
function optionsOf(target: URL): ReturnType<typeof urlToHttpOptions> | null {
  try {
    return urlToHttpOptions(target);
  } catch {
    return null;
  }
}

/** Seconds only: a date of another machine is by another clock. */
function retryAfterMs(value: string | undefined): number | null {
  return value !== undefined && /^\d{1,5}$/.test(value) ? Number(value) * 1000 : null;
}
