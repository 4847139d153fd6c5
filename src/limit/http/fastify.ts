/**
 * Limits as a hook of Fastify, for all routes (`app.addHook('onRequest', …)`) or one (`{ onRequest: … }`); as a `preHandler` where the
 * key is known only later. Types say what is used of Fastify, so that this imports nothing of it.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';

import { type Limiters, type LimitOptions, limitRequest } from './limit-request.ts';
import { joined, nodeCaller } from './node.ts';

export interface FastifyRequestLike {
  readonly raw: IncomingMessage;
}

export interface FastifyReplyLike {
  readonly raw: ServerResponse;
  code(status: number): unknown;
  getHeader(name: string): number | string | string[] | undefined;
  header(name: string, value: string): unknown;
  hijack(): unknown;
  send(body: Uint8Array): unknown;
}

/**
 * A hook for Fastify 5.
 *
 * @example
 * const limit = fastifyLimit(createLimiter({ name: 'api', algorithm: tokenBucket({ capacity: 100, refillPerSecond: 10 }) }));
 * console.log(typeof limit); // function
 */
export function fastifyLimit<R extends FastifyRequestLike = FastifyRequestLike>(
  limiters: Limiters,
  options: LimitOptions<R> = {},
): (request: R, reply: FastifyReplyLike) => Promise<unknown> {
  const decide = limitRequest(limiters, options);
  return async (request, reply) => {
    const verdict = await decide(nodeCaller(request, request.raw, reply.raw));
    if (verdict === null) {
      reply.hijack();
      return reply;
    }
    const { fields, refusal } = verdict;
    for (const field of fields) reply.header(field[0], joined(field, reply.getHeader(field[0])));
    if (refusal === null) return undefined;
    reply.code(refusal.status);
    // As bytes, to which Fastify adds no charset; JSON has none.
    reply.send(Buffer.from(refusal.body));
    return reply;
  };
}
