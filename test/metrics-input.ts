/** What the gateway's page of metrics is made of, without a gateway. */
import type { MetricsInput } from '../src/gateway/admin/metrics.ts';
import { CellStore, compileSnapshot, resolveConfig } from '../src/gateway/config/index.ts';
import type { BreakerState, DiscoveryState, EndpointState } from '../src/gateway/control/gateway-state.ts';
import { NamedEndpoints } from '../src/gateway/control/named-endpoints.ts';
import { systemClock } from '../src/kernel/clock.ts';
import { atOnce } from '../src/kernel/steps.ts';
import type { SloStatus } from '../src/observe/slo/live/status.ts';

const { config } = resolveConfig({
  listeners: [{ name: 'web', address: '127.0.0.1:0' }],
  services: [{ name: 'shop', endpoints: ['127.0.0.1:9001', '127.0.0.1:9002'] }],
  limits: [
    { name: 'few', algorithm: { type: 'fixed-window', limit: 10, per: '1m' }, key: 'client' },
    {
      name: 'fleet',
      algorithm: { type: 'fixed-window', limit: 10, per: '1m' },
      store: { redis: 'redis://user:topsecret@cache.internal' },
    },
  ],
  routes: [
    { name: 'all', service: 'shop', limits: { requests: ['few', 'fleet'] } },
    {
      name: 'trial',
      match: { path: '/trial' },
      split: {
        arms: [
          { service: 'shop', weight: 90 },
          { service: 'shop', weight: 10, name: 'canary' },
        ],
      },
      mirror: { service: 'shop' },
    },
  ],
});

const slo = {
  id: 'shop-up',
  objective: 0.999,
  budget: { share: -0.25 },
  burn: [
    { windowS: 300, value: 20 },
    { windowS: 3600, value: null },
  ],
  alerts: [{ severity: 'page', burn: 14.4, state: 'firing' }],
} as unknown as SloStatus;

const discovery: DiscoveryState = {
  source: 'api',
  since: '2026-02-01T00:00:00.000Z',
  endpoints: 1,
  answeredAt: '2026-01-01T00:00:00.000Z',
  ageMs: 1500,
  nextAt: null,
  problem: 'its answer is empty',
  leftOut: [],
  answers: 2,
  failures: 3,
};

const breaker: BreakerState = {
  phase: 'open',
  reason: '60 % of 20 calls failed',
  since: '2026-02-01T00:00:00.000Z',
  until: '2026-02-01T00:00:05.000Z',
  openings: 1,
  attempts: { good: 8, slow: 0, failed: 12, ignored: 1, refused: 7 },
  transitions: [{ to: 'open', count: 1 }],
};

const changes: EndpointState['changes'] = [
  { to: 'up', cause: 'check', count: 1 },
  { to: 'down', cause: 'status', count: 2 },
];

/** Two routes, two endpoints, of whom so many are named, two limits, two workers that have counted nothing yet; something to say in each family, but those of TLS. */
export function metricsInput(named = 2): MetricsInput {
  const options = { version: 3, cells: new CellStore(3), ticketSecret: new Uint8Array(32), pseudonym: 'p' };
  const snapshot = compileSnapshot(config!, options);
  const state: MetricsInput['state'] = {
    version: '1.2.3',
    configVersion: 3,
    startedAt: '2026-01-01T00:00:00.000Z',
    workers: [1, 2].map((lane) => ({
      lane,
      phase: 'serving',
      restarts: lane,
      lastLoss: null,
      loopLagMs: 0,
      heapBytes: 0,
    })),
    reloads: { applied: 2, refused: 1, lastAt: null, lastOutcome: 'refused', lastReason: 'x' },
  };
  const process = {
    residentBytes: 5,
    cpuSeconds: 6,
    nodeVersion: 'v24',
    beganMs: Date.UTC(2025, 11),
    configAppliedS: 7,
  };
  const exported = {
    sinceMs: Date.UTC(2026, 2),
    spans: { sent: 3, rejected: 0, dropped: 1, failed: 0 },
    metrics: { sent: 300, rejected: 2, dropped: 0, failed: 7, skipped: 4 },
  };
  const healthChanges = (_service: string, endpoint: string) => (endpoint === '127.0.0.1:9001' ? changes : []);
  return {
    snapshot,
    state,
    discovery: [discovery],
    endpoints: atOnce(new NamedEndpoints(healthChanges, systemClock).read(snapshot, named)),
    breakers: [{ service: 'shop', bornMs: Date.UTC(2026, 0), state: breaker }],
    exported,
    slos: [slo],
    healthChanges,
    process,
  };
}
