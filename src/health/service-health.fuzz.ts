/**
 * Healthy services, 1,000 of them and others with another seed, none alike: unequal machines, skewed loads, long tails, caches that hit every other
 * time, a few errors that everyone has. The default rules eject nobody. And in each of them, one that goes bad is out in time.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { seededRandom, type Random } from '../kernel/random.ts';
import { defaultEjectionPolicy } from './ejection.ts';
import { defaultEligibilityPolicy } from './eligible.ts';
import { defaultPassivePolicy } from './passive.ts';
import { ServiceHealth } from './service-health.ts';
import { createTrafficCell, TrafficRecorder, trafficResults, type TrafficResult } from './traffic.ts';

const policy = {
  passive: defaultPassivePolicy,
  ejection: defaultEjectionPolicy,
  eligibility: defaultEligibilityPolicy,
};
const SETTLED_MS = 60_000;
const REQUESTS = 1_200;

interface Service {
  readonly seed: number;
  readonly servers: number;
  /** The slowest machine takes so many times as long as the quickest. */
  readonly spread: number;
  readonly perSecond: number;
  readonly medianMs: number;
  /** Of the logarithm of the times: 1.2 is a p99 of 16 medians. */
  readonly sigma: number;
  /** Share of answers from a cache, 50 times as quick. */
  readonly hits: number;
  readonly errors: number;
}

const anyService: fc.Arbitrary<Service> = fc.record({
  seed: fc.integer({ min: 0, max: 2 ** 31 }),
  servers: fc.integer({ min: 1, max: 10 }),
  spread: fc.double({ min: 1, max: 1.8, noNaN: true }),
  perSecond: fc.constantFrom(20, 100, 400, 2_000),
  medianMs: fc.constantFrom(2, 50, 300, 1_500),
  sigma: fc.double({ min: 0.1, max: 1.2, noNaN: true }),
  hits: fc.constantFrom(0, 0, 0.1, 0.48, 0.5, 0.52, 0.9),
  errors: fc.constantFrom(0, 0.001, 0.01, 0.05),
});

/** Those that are hardest to tell from sick ones: as unequal, spread and often hit as any of them, and busy enough to be judged. */
const hardService: fc.Arbitrary<Service> = fc
  .record({
    service: anyService,
    servers: fc.integer({ min: 4, max: 10 }),
    perSecond: fc.constantFrom(100, 400),
    medianMs: fc.constantFrom(300, 1_500),
    sigma: fc.double({ min: 1, max: 1.2, noNaN: true }),
    hits: fc.constantFrom(0.48, 0.5, 0.52),
    errors: fc.constantFrom(0, 0.05),
  })
  .map(({ service, ...hard }) => ({ ...service, ...hard, spread: 1.8 }));

function gaussian(random: Random): number {
  return Math.sqrt(-2 * Math.log(1 - random.unit())) * Math.cos(2 * Math.PI * random.unit());
}

type Answer = (server: number, random: Random) => { readonly result: TrafficResult; readonly ms: number };

function healthy({ servers, spread, medianMs, sigma, hits, errors }: Service): Answer {
  const { refused, serverError, answer } = trafficResults;
  return (server, random) => {
    const speed = servers === 1 ? 1 : 1 + ((spread - 1) * server) / (servers - 1);
    const whole = medianMs * speed * Math.exp(sigma * gaussian(random));
    const ms = random.unit() < hits ? whole / 50 : whole;
    if (random.unit() >= errors) return { result: answer, ms };
    return { result: random.unit() < 0.5 ? refused : serverError, ms };
  };
}

/** Runs a service, without queues; answers when the first was ejected, and after how many requests of its own. */
function firstEjection(service: Service, answerOf: Answer, requests = REQUESTS) {
  const random = seededRandom(service.seed);
  const members = Array.from({ length: service.servers }, (_, id) => ({
    id: String(id),
    weight: 1,
    backup: false,
    traffic: createTrafficCell(2),
  }));
  const health = new ServiceHealth(policy, members, 0);
  const recorders = members.map(({ traffic: cell }) =>
    [0, 1].map((lane) => new TrafficRecorder({ cell, lane, row: policy.passive.consecutive })),
  );
  const asked = members.map(() => 0);
  let nowMs = SETTLED_MS;
  let nextMs = nowMs;
  for (let request = 0; request < requests; request++) {
    nowMs += 1_000 / service.perSecond;
    const server = Math.floor(random.unit() * service.servers);
    asked[server]! += 1;
    const { result, ms } = answerOf(server, random);
    const full = recorders[server]![request & 1]!.record(result, ms);
    if (!full && nowMs < nextMs) continue;
    const { endpoints, againMs } = health.evaluate(() => null, nowMs);
    nextMs = againMs ?? Number.POSITIVE_INFINITY;
    const out = endpoints.find(({ health: { condition } }) => condition === 'ejected');
    if (out !== undefined) return { server: Number(out.id), reason: out.health.reason, asked: asked[Number(out.id)]! };
  }
  return null;
}

test('of 1,000 healthy services at most two have an endpoint ejected, by chance', () => {
  const services = fc.sample(fc.oneof(hardService, anyService), 1_000);
  const ejected = services.filter((service) => firstEjection(service, healthy(service)) !== null);
  assert.ok(ejected.length <= 2, JSON.stringify(ejected));
});

test('one that fails all, fails half, or is six times as slow is out in time, and it is the one', () => {
  const { refused, serverError, answer } = trafficResults;
  const calm = anyService
    .filter(({ servers }) => servers >= 4)
    .map((service) => ({ ...service, errors: 0, hits: 0, sigma: Math.min(service.sigma, 0.6), medianMs: 50 }));
  fc.assert(
    fc.property(
      calm,
      fc.nat(),
      fc.constantFrom('dead' as const, 'broken' as const, 'slow' as const),
      (service, which, how) => {
        const bad = which % service.servers;
        const well = healthy({ ...service, spread: 1 });
        const answerOf: Answer = (server, random) => {
          const outcome = well(server, random);
          if (server !== bad) return outcome;
          if (how === 'dead') return { result: refused, ms: 1 };
          if (how === 'broken') return { result: random.unit() < 0.75 ? serverError : answer, ms: 1 };
          return { ...outcome, ms: outcome.ms * 6 };
        };
        const out = firstEjection(service, answerOf, REQUESTS * 10);
        // What comes to a server in a second, or in a window.
        const second = (service.perSecond / service.servers) * 1.5 + 30;
        // Half as many again in a window as it takes to judge; less may be too few by chance, for long.
        const judged = { dead: 0, broken: 30, slow: 150 };
        if ((service.perSecond * 10) / service.servers < judged[how]) return;
        assert.equal(out?.server, bad, how);
        if (how === 'dead') assert.equal(out.asked, 5);
        else if (how === 'broken') assert.ok(out.asked <= 20 + 2 * second, `${out.asked} requests`);
        else assert.ok(out.asked <= 100 + 10 * second, `${out.asked} requests`);
      },
    ),
    { numRuns: 300 },
  );
});
