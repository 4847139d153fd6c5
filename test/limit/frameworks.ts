/** One small service on each framework, on a real socket, with limits before its only handler. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { serve } from '@hono/node-server';
import express from 'express';
import fastify, { type FastifyRequest } from 'fastify';
import { type Context, Hono } from 'hono';
import { fastifyLimit, honoLimit, type Limiters, type LimitOptions, nodeLimit } from '../../src/limit/http/index.ts';

/** Options with functions of a field of the request, which all frameworks have. */
export interface ServiceOptions extends Pick<LimitOptions<unknown>, 'client' | 'fields' | 'maxWait' | 'onDecision'> {
  /** Named by the field `x-user`. */
  readonly byUser?: boolean;
  /** Said by the field `x-cost`. */
  readonly byCost?: boolean;
  /** Not limited if there is the field `x-health`. */
  readonly skipHealth?: boolean;
}

export interface ServiceSetup {
  /** Answers `/`, or fails. */
  readonly work: () => Promise<string>;
  readonly limits: readonly Limiters[];
  readonly options?: ServiceOptions;
}

function optionsFor<R>(
  { byUser, byCost, skipHealth, ...same }: ServiceOptions = {},
  fieldOf: (request: R, name: string) => string | string[] | undefined,
): LimitOptions<R> {
  const key = (request: R): string => fieldOf(request, 'x-user')?.toString() ?? '';
  const cost = (request: R): number => Number(fieldOf(request, 'x-cost') ?? 1);
  const skip = (request: R): boolean => Boolean(fieldOf(request, 'x-health'));
  return { ...same, ...(byUser && { key }), ...(byCost && { cost }), ...(skipHealth && { skip }) };
}

export interface Service extends AsyncDisposable {
  readonly port: number;
}

async function listening(server: Server): Promise<Service> {
  if (!server.listening) await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

const LOCAL = '127.0.0.1';

async function onNode({ work, limits, options }: ServiceSetup): Promise<Service> {
  const middlewares = limits.map((limit) =>
    nodeLimit<IncomingMessage>(
      limit,
      optionsFor(options, ({ headers }, name) => headers[name]),
    ),
  );
  const server = createServer((request, response) => {
    const fail = (): void => {
      response.statusCode = 500;
      response.end('failed');
    };
    const step = (index: number, error?: unknown): void => {
      const limit = middlewares[index];
      if (error !== undefined) fail();
      else if (limit !== undefined) limit(request, response, (problem) => step(index + 1, problem));
      else work().then((text) => response.end(text), fail);
    };
    step(0);
  });
  return listening(server.listen(0, LOCAL));
}

async function onExpress({ work, limits, options }: ServiceSetup): Promise<Service> {
  const app = express();
  app.set('env', 'test'); // errors are not printed
  for (const limit of limits) {
    app.use(
      nodeLimit<express.Request>(
        limit,
        optionsFor(options, (request, name) => request.get(name)),
      ),
    );
  }
  app.all('/', async (_request, response) => {
    response.send(await work());
  });
  return listening(app.listen(0, LOCAL));
}

async function onFastify({ work, limits, options }: ServiceSetup): Promise<Service> {
  const app = fastify();
  for (const limit of limits) {
    app.addHook(
      'onRequest',
      fastifyLimit<FastifyRequest>(
        limit,
        optionsFor(options, ({ headers }, name) => headers[name]),
      ),
    );
  }
  app.all('/', work);
  await app.listen({ port: 0, host: LOCAL });
  const { port } = await listening(app.server);
  return { port, [Symbol.asyncDispose]: async () => app.close() };
}

async function onHono({ work, limits, options }: ServiceSetup): Promise<Service> {
  const app = new Hono();
  for (const limit of limits) {
    app.use(
      honoLimit<Context>(
        limit,
        optionsFor(options, ({ req }, name) => req.header(name)),
      ),
    );
  }
  app.all('/', async (context) => context.text(await work()));
  app.onError((_error, context) => context.text('failed', 500));
  return listening(serve({ fetch: app.fetch, port: 0, hostname: LOCAL }) as Server);
}

export const frameworks: Readonly<Record<string, (setup: ServiceSetup) => Promise<Service>>> = {
  'node:http': onNode,
  Express: onExpress,
  Fastify: onFastify,
  Hono: onHono,
};
