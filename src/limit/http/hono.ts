/**
 * Limits as a middleware of Hono. Types say what is used of Hono, so that this imports nothing of it.
 *
 * On Node, with `@hono/node-server`, a request ends when its response is closed, as elsewhere. A server that gives Hono nothing but a
 * `Request` does not say who asked, so there has to be a `key`; there a request ends when the body has been read or given up.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';

import { type Caller, type Limiters, type LimitOptions, limitRequest } from './limit-request.ts';
import { isList, nodeCaller } from './node.ts';

export interface HonoContextLike {
  readonly env: unknown;
  readonly req: { readonly raw: Request };
  res: Response;
  header(name: string, value: string, options: { readonly append: boolean }): void;
}

/** What `@hono/node-server` hands in as `env`. */
interface NodeEnv {
  readonly incoming?: IncomingMessage;
  readonly outgoing?: ServerResponse;
}

/** The body, and a word when it has been read to its end or nobody reads it any more. */
function followed(body: ReadableStream<Uint8Array>, done: () => void): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  return new ReadableStream({
    async pull(controller) {
      try {
        const { done: ended, value } = await reader.read();
        if (!ended) return controller.enqueue(value);
        controller.close();
      } catch (error) {
        controller.error(error);
      }
      done();
    },
    async cancel(reason) {
      done();
      await reader.cancel(reason);
    },
  });
}

/** Nobody is left to answer: nginx's number for it, which no client sees. */
const CLIENT_GONE = 499;

/**
 * A middleware for Hono 4.
 *
 * @example
 * const limit = honoLimit(createLimiter({ name: 'api', algorithm: tokenBucket({ capacity: 100, refillPerSecond: 10 }) }));
 * console.log(typeof limit); // function
 */
export function honoLimit<C extends HonoContextLike = HonoContextLike>(
  limiters: Limiters,
  options: LimitOptions<C> = {},
): (context: C, next: () => Promise<void>) => Promise<Response | void> {
  const decide = limitRequest(limiters, options);

  function callerOf(context: C, over: AbortController): Caller<C> {
    const { incoming, outgoing } = (context.env ?? {}) as NodeEnv;
    if (incoming !== undefined && outgoing !== undefined) return nodeCaller(context, incoming, outgoing);
    return { request: context, peer: null, signal: AbortSignal.any([context.req.raw.signal, over.signal]) };
  }

  return async (context, next) => {
    const over = new AbortController();
    const caller = callerOf(context, over);
    const verdict = await decide(caller).catch((error: unknown) => {
      // A function of the options failed, perhaps with something held.
      over.abort();
      throw error;
    });
    if (verdict === null) return new Response(null, { status: CLIENT_GONE });
    const { fields, refusal, holds } = verdict;
    if (refusal !== null) {
      const headers = fields.map(([name, value]): [string, string] => [name, value]);
      return new Response(refusal.body, { status: refusal.status, headers });
    }
    try {
      await next();
    } catch (error) {
      over.abort();
      throw error;
    }
    // Afterwards, because a response that the handler made itself has nothing of what was set before.
    for (const [name, value] of fields) context.header(name, value, { append: isList(name) });
    if (!holds || caller.peer !== null) return undefined;
    const { body } = context.res;
    if (body === null) over.abort();
    else
      context.res = new Response(
        followed(body, () => over.abort()),
        context.res,
      );
    return undefined;
  };
}
