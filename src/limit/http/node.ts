/**
 * Limits as a middleware of `(request, response, next)`: for `node:http`, Express, Connect and their kin.
 *
 * `next()` goes on; `next(error)` says that an option's function failed, or the options make no sense for this request.
 * Neither is called for a request that was refused here, or whose client is gone.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';

import type { HeaderField } from '../fields.ts';
import { type Caller, type Limiters, type LimitOptions, limitRequest } from './limit-request.ts';

/** Nobody reads it: who waits for the signal is told that there is no more use in it. */
const OVER = new Error('the response is done, or nobody is there to read it');

/** A request of `node:http`, on which an adapter's request stands. */
export function nodeCaller<R>(request: R, incoming: IncomingMessage, outgoing: ServerResponse): Caller<R> {
  const life = new AbortController();
  if (outgoing.closed || incoming.socket.destroyed) life.abort(OVER);
  else outgoing.once('close', () => life.abort(OVER));
  const { 'x-forwarded-for': forwardedFor, forwarded } = incoming.headers;
  return {
    request,
    peer: { address: incoming.socket.remoteAddress, forwardedFor: joinedField(forwardedFor), forwarded },
    signal: life.signal,
  };
}

function joinedField(given: string | string[] | undefined): string | undefined {
  return Array.isArray(given) ? given.join(',') : given;
}

/** Whether a field is a list, so that what another limit said of the same request stays. */
export function isList(name: string): boolean {
  return name === 'RateLimit' || name === 'RateLimit-Policy';
}

/** The value of a field, after what is in it already. */
export function joined([name, value]: HeaderField, before: number | string | readonly string[] | undefined): string {
  if (before === undefined || !isList(name)) return value;
  return `${typeof before === 'object' ? before.join(', ') : before}, ${value}`;
}

/**
 * A middleware for `node:http`, Express and others.
 *
 * @example
 * const limit = nodeLimit(createLimiter({ name: 'api', algorithm: tokenBucket({ capacity: 100, refillPerSecond: 10 }) }));
 * createServer((request, response) => {
 *   limit(request, response, (error) => {
 *     response.statusCode = error === undefined ? 200 : 500;
 *     response.end();
 *   });
 * });
 */
export function nodeLimit<R extends IncomingMessage = IncomingMessage>(
  limiters: Limiters,
  options: LimitOptions<R> = {},
): (request: R, response: ServerResponse, next: (error?: unknown) => void) => void {
  const decide = limitRequest(limiters, options);

  async function admit(request: R, response: ServerResponse, next: (error?: unknown) => void): Promise<void> {
    try {
      const verdict = await decide(nodeCaller(request, request, response));
      if (verdict === null) return;
      const { fields, refusal } = verdict;
      for (const field of fields) response.setHeader(field[0], joined(field, response.getHeader(field[0])));
      if (refusal !== null) {
        response.statusCode = refusal.status;
        response.setHeader('Content-Length', Buffer.byteLength(refusal.body));
        response.end(refusal.body);
        return;
      }
    } catch (error) {
      next(error);
      return;
    }
    next();
  }

  return (request, response, next) => void admit(request, response, next);
}
