/** `spillway/limit/http`: limits on the requests of a server, whatever framework it has. */
export { clientKey, type ClientKeyOptions } from '../client-key.ts';
export { type FieldForm, type HeaderField, limitFields, refusalOf, type Policy, type Refusal } from '../fields.ts';
export { retryAfterS, type Report } from '../fields.ts';
export { fastifyLimit } from './fastify.ts';
export { honoLimit } from './hono.ts';
export { type Caller, type Limiters, type LimitOptions, limitRequest, type Verdict } from './limit-request.ts';
export { nodeLimit } from './node.ts';
