/**
 * What a scrape of a large gateway costs its control thread, in text and in protobuf: CPU time, and the longest turn of the event loop, which is what health checks
 * and the admin API feel. A turn makes one chunk, the same work in each round, so its time is the least of all rounds: in the others
 * somebody else had the core, or garbage was collected.
 */
import { pageOf } from '../../src/observe/exposition.ts';
import type { PageFormat } from '../../src/observe/prometheus.ts';
import { gatewayMetrics, type MetricsInput } from '../../src/gateway/admin/metrics.ts';
import { CellStore, compileSnapshot, resolveConfig } from '../../src/gateway/config/index.ts';
import { NamedEndpoints, SUMS_TURN_MS } from '../../src/gateway/control/named-endpoints.ts';
import { bucketOf } from '../../src/gateway/durations.ts';
import { ROUTE_SLOTS, routeSlots } from '../../src/gateway/slots.ts';
import { cellLane } from '../../src/kernel/cells.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { seededRandom } from '../../src/kernel/random.ts';
import { inTurns } from '../../src/kernel/steps.ts';
import { cpuNs } from '../cpu-time.ts';

const ROUNDS = 15;
const LANES = 5;
const OF_A_SERVICE = 10_000;
/** As by default: what the others count is added up first. */
const NAMED = 1000;
/** Of each route: they fall in some 60 buckets. */
const DURATIONS = 300;

function gatewayOf(routes: number, endpoints: number): Omit<MetricsInput, 'endpoints'> {
  const { config } = resolveConfig({
    listeners: [{ name: 'web', address: '127.0.0.1:0' }],
    services: Array.from({ length: Math.ceil(endpoints / OF_A_SERVICE) }, (_, service) => ({
      name: `shop${service}`,
      endpoints: Array.from(
        { length: Math.min(OF_A_SERVICE, endpoints) },
        (__, n) => `10.${service}.${n >> 8}.${n & 255}:80`,
      ),
    })),
    routes: Array.from({ length: routes }, (_, n) => ({ name: `r${n}`, match: { path: `/r${n}` }, service: 'shop0' })),
  });
  const options = { version: 1, cells: new CellStore(LANES), ticketSecret: new Uint8Array(32), pseudonym: 'p' };
  const snapshot = compileSnapshot(config!, options);
  const random = seededRandom(1);
  for (const { cell } of snapshot.routes) {
    const lane = cellLane(cell, ROUTE_SLOTS, 1);
    for (let n = 0; n < DURATIONS; n++) lane[routeSlots.buckets + bucketOf(2 * (1 - random.unit()) ** -0.7)]! += 1;
  }
  return {
    snapshot,
    breakers: [],
    state: {
      version: '1',
      configVersion: 1,
      startedAt: '2026-01-01T00:00:00.000Z',
      workers: [],
      reloads: { applied: 0, refused: 0, lastAt: null, lastOutcome: null, lastReason: null },
    },
    discovery: snapshot.services.map(() => null),
    exported: null,
    slos: [],
    healthChanges: () => [],
    process: { residentBytes: 1, cpuSeconds: 1, nodeVersion: 'v24', beganMs: 1, configAppliedS: 1 },
  };
}

interface Asked {
  readonly given: Omit<MetricsInput, 'endpoints'>;
  readonly named: NamedEndpoints;
}

/** One page: its bytes, and `turnsMs` lowered to what each turn of the event loop took that makes it. */
async function timedPage({ given, named }: Asked, format: PageFormat, turnsMs: number[]): Promise<number> {
  let turn = 0;
  let beganMs = systemClock.nowMs();
  const ended = (): void => {
    turnsMs[turn] = Math.min(turnsMs[turn] ?? Infinity, systemClock.nowMs() - beganMs);
    turn += 1;
    beganMs = systemClock.nowMs();
  };
  // Asked for by each turn for the next, as the page does it: what is between two of these is a turn.
  let next = setImmediate(function again(): void {
    ended();
    next = setImmediate(again);
  });
  let bytes = 0;
  const endpoints = await inTurns(named.read(given.snapshot, NAMED), { clock: systemClock, turnMs: SUMS_TURN_MS });
  for await (const chunk of pageOf(gatewayMetrics({ ...given, endpoints }), format)) bytes += Buffer.byteLength(chunk);
  ended();
  clearImmediate(next);
  return bytes;
}

export async function gatewayPagePart(): Promise<void> {
  process.stdout.write(`\nA page of the gateway, ${LANES - 1} workers\n`);
  for (const [routes, endpoints] of [
    [1000, 10],
    [10, 1000],
    [1000, 1000],
    [10, 50_000],
  ] as const) {
    const given = gatewayOf(routes, endpoints);
    const named = new NamedEndpoints(() => [], systemClock);
    for (const format of ['prometheus', 'protobuf'] as const) {
      const turnsMs: number[] = [];
      let [bestNs, bytes] = [Infinity, 0];
      for (let round = 0; round < ROUNDS; round++) {
        const before = cpuNs();
        bytes = await timedPage({ given, named }, format, turnsMs);
        bestNs = Math.min(bestNs, cpuNs() - before);
      }
      process.stdout.write(
        `  ${`${routes} routes, ${endpoints} endpoints`.padEnd(30)} ${format.padEnd(10)} ${(bytes / 1e6).toFixed(1)} MB, ` +
          `${(bestNs / 1e6).toFixed(0).padStart(3)} ms of CPU, the longest of ${turnsMs.length} turns ${Math.max(...turnsMs).toFixed(1)} ms\n`,
      );
    }
  }
}
