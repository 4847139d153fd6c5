/**
 * The pattern of the route that a framework has chosen, as it tells by its tracing channels: Fastify 5, and Express 5 by its router.
 *
 * Express tells of each layer, with the part of the pattern that is its own, while `baseUrl` holds the path that came. So the patterns of mounted
 * routers are remembered by that path, for each request, and put before those of their routes: `/users/42` was `/users/:id`. An Express
 * that does not tell has the pattern of its route, without where its router was mounted.
 */
import diagnostics, { type TracingChannelSubscribers } from 'node:diagnostics_channel';

export interface RouteListener {
  readonly route: (request: object, route: string) => void;
  readonly thrown: (request: object, error: unknown) => void;
}

interface FastifyMessage {
  readonly request?: { readonly raw?: object };
  readonly route?: { readonly url?: unknown };
  readonly error?: unknown;
}

interface ExpressRequest {
  readonly baseUrl?: string;
  readonly route?: unknown;
}

interface ExpressMessage {
  readonly req?: ExpressRequest & object;
  /** Of the layer. */
  readonly route?: unknown;
  readonly errorHandler?: unknown;
  readonly error?: unknown;
}

const FASTIFY = 'fastify.request.handler';
const EXPRESS = 'express.router.request';
/** Of one request: routers within routers. */
const MOUNTS_MAX = 16;

export class RouteWatch {
  readonly #fastify: Partial<TracingChannelSubscribers<object>>;
  readonly #express: Partial<TracingChannelSubscribers<object>>;
  /** For each request the patterns of mounted routers, by the path that they matched. */
  readonly #mounts = new WeakMap<object, Map<string, string>>();

  constructor({ route, thrown }: RouteListener) {
    this.#fastify = {
      start({ request, route: chosen }: FastifyMessage) {
        if (request?.raw !== undefined && typeof chosen?.url === 'string') route(request.raw, chosen.url);
      },
      error({ request, error }: FastifyMessage) {
        if (request?.raw !== undefined) thrown(request.raw, error);
      },
    };
    this.#express = {
      start: (message: ExpressMessage) => this.#layer(message, route),
      error({ req, error }: ExpressMessage) {
        if (req !== undefined) thrown(req, error);
      },
    };
  }

  watch(): void {
    diagnostics.tracingChannel(FASTIFY).subscribe(this.#fastify as TracingChannelSubscribers<object>);
    diagnostics.tracingChannel(EXPRESS).subscribe(this.#express as TracingChannelSubscribers<object>);
  }

  unwatch(): void {
    diagnostics.tracingChannel(FASTIFY).unsubscribe(this.#fastify as TracingChannelSubscribers<object>);
    diagnostics.tracingChannel(EXPRESS).unsubscribe(this.#express as TracingChannelSubscribers<object>);
  }

  #layer({ req, route: pattern, errorHandler }: ExpressMessage, tell: RouteListener['route']): void {
    if (req === undefined || errorHandler === true) return;
    const { baseUrl = '' } = req;
    const mounts = this.#mounts.get(req);
    if (req.route !== undefined) {
      tell(req, `${mounts?.get(baseUrl) ?? ''}${shown(pattern)}`);
      return;
    }
    // A middleware at the root has no part in what follows.
    if (baseUrl === '' || mounts?.has(baseUrl) === true) return;
    const known = mounts ?? new Map<string, string>();
    if (mounts === undefined) this.#mounts.set(req, known);
    if (known.size < MOUNTS_MAX) known.set(baseUrl, `${parentOf(baseUrl, known)}${shown(pattern)}`);
  }
}

/** The pattern of the router in which another is mounted: of those that are known, the one that matched most. */
function parentOf(baseUrl: string, known: ReadonlyMap<string, string>): string {
  let longest = '';
  for (const path of known.keys()) {
    if (path.length > longest.length && baseUrl.startsWith(`${path}/`)) longest = path;
  }
  return known.get(longest) ?? '';
}

function shown(pattern: unknown): string {
  return typeof pattern === 'string' || pattern instanceof RegExp ? String(pattern) : '';
}
