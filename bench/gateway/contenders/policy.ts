/**
 * Spillway with and without traffic policy, for the cases `policy` and `limit`: what choosing well costs, and what counting does.
 *
 * Plain is round robin without passive health and the three routes that all cases have. With policy there are a hundred routes,
 * two-choices and passive health. Both choose between four endpoints, which are the one origin under four names, so that
 * there is a choice and the rest is alike.
 */
import type { ConfigInput } from '../../../src/gateway/config/schema.ts';
import { createSpillway } from './spillway.ts';

const ENDPOINTS = 4;
const ROUTES = 100;

type Service = NonNullable<ConfigInput['services']>[number];

/** Changes the service that the load goes to. */
function withOrigin(config: ConfigInput, change: (origin: Service) => Service): ConfigInput {
  const services = config.services ?? [];
  return { ...config, services: services.map((each) => (each.name === 'origin' ? change(each) : each)) };
}

/** The loopback network answers on all its addresses, and the origin on these. */
function fourTimes(origin: Service): Service {
  const [address] = origin.endpoints as readonly string[];
  const port = address!.slice(address!.lastIndexOf(':'));
  return { ...origin, endpoints: Array.from({ length: ENDPOINTS }, (_, index) => `127.0.0.${index + 1}${port}`) };
}

/** One of many, of the kinds that people write; none of them matches the load. */
function route(index: number): ConfigInput['routes'][number] {
  const kinds: readonly ConfigInput['routes'][number]['match'][] = [
    { path: `/section-${index}/*` },
    { host: `host-${index}.example` },
    { path: `/items/:id/part-${index}` },
    { host: `*.zone-${index}.example`, path: '/api/*' },
    { path: `/pages/${index}`, methods: ['POST'] },
  ];
  return { match: kinds[index % kinds.length]!, service: 'origin' };
}

function plainly(config: ConfigInput): ConfigInput {
  return withOrigin(config, (origin) => ({
    ...fourTimes(origin),
    balance: 'round-robin',
    health: { passive: 'off' },
  }));
}

export const plain = createSpillway({ name: 'plain', env: {}, change: plainly });

/** Whoever is alike in all else meets a limit for each client that nobody reaches. */
export function limitedly(config: ConfigInput): ConfigInput {
  return {
    ...plainly(config),
    listeners: config.listeners.map((listener) => ({
      ...listener,
      limits: { ...listener.limits, requests: ['per-client'] },
    })),
    limits: [
      {
        name: 'per-client',
        algorithm: { type: 'token-bucket', capacity: 1_000_000, refillPerSecond: 1_000_000 },
        key: 'client',
      },
    ],
  };
}

/** What it costs to be counted, for the case `limit`. */
export const limited = createSpillway({ name: 'limited', env: {}, change: limitedly });

export const policy = createSpillway({
  name: 'policy',
  env: {},
  change: (config) => ({
    ...withOrigin(config, (origin) => ({ ...fourTimes(origin), balance: 'two-choices', health: { passive: {} } })),
    routes: [...Array.from({ length: ROUTES - config.routes.length }, (_, index) => route(index)), ...config.routes],
  }),
});
