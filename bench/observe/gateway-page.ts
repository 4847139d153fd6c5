/**
 * What a scrape of a large gateway costs its control thread: CPU time, and the longest turn of the event loop, which is what health checks
 * and the admin API feel. A turn makes one chunk, the same work in each round, so its time is the least of all rounds: in the others
 * somebody else had the core, or garbage was collected.
 */
import { inChunks } from '../../src/observe/page.ts';
import { formatMetrics } from '../../src/observe/prometheus.ts';
import { gatewayMetrics, type MetricsInput } from '../../src/gateway/admin/metrics.ts';
import { CellStore, compileSnapshot, resolveConfig } from '../../src/gateway/config/index.ts';
import { readLimits, readStores } from '../../src/gateway/control/read-limits.ts';
import { systemClock } from '../../src/kernel/clock.ts';
import { cpuNs } from '../bloom/speed.ts';

const ROUNDS = 15;
const LANES = 5;

function gatewayOf(routes: number, endpoints: number): MetricsInput {
  const { config } = resolveConfig({
    listeners: [{ name: 'web', address: '127.0.0.1:0' }],
    services: [
      { name: 'shop', endpoints: Array.from({ length: endpoints }, (_, n) => `10.0.${n >> 8}.${n & 255}:80`) },
    ],
    routes: Array.from({ length: routes }, (_, n) => ({ name: `r${n}`, match: { path: `/r${n}` }, service: 'shop' })),
  });
  const options = { version: 1, cells: new CellStore(LANES), ticketSecret: new Uint8Array(32), pseudonym: 'p' };
  const snapshot = compileSnapshot(config!, options);
  return {
    snapshot,
    state: {
      version: '1',
      configVersion: 1,
      startedAt: '2026-01-01T00:00:00.000Z',
      limits: readLimits(snapshot),
      stores: readStores(snapshot),
      workers: [],
      reloads: { applied: 0, refused: 0, lastAt: null, lastOutcome: null, lastReason: null },
    },
    discovery: [null],
    exported: null,
    slos: [],
    healthChanges: () => [],
    process: { residentBytes: 1, cpuSeconds: 1, nodeVersion: 'v24', configAppliedS: 1 },
  };
}

/** One page: its lines, and `turnsMs` lowered to what each chunk took. */
async function timedPage(given: MetricsInput, turnsMs: number[]): Promise<number> {
  let [chunks, lines] = [0, 0];
  let beganMs = systemClock.nowMs();
  for await (const text of inChunks(formatMetrics(gatewayMetrics(given), 'prometheus'))) {
    turnsMs[chunks] = Math.min(turnsMs[chunks] ?? Infinity, systemClock.nowMs() - beganMs);
    chunks++;
    lines += text.split('\n').length - 1;
    beganMs = systemClock.nowMs();
  }
  return lines;
}

export async function gatewayPagePart(): Promise<void> {
  process.stdout.write(`\nA page of the gateway, ${LANES - 1} workers\n`);
  for (const [routes, endpoints] of [
    [1000, 10],
    [10, 1000],
    [1000, 1000],
  ] as const) {
    const given = gatewayOf(routes, endpoints);
    const turnsMs: number[] = [];
    let [bestNs, lines] = [Infinity, 0];
    for (let round = 0; round < ROUNDS; round++) {
      const before = cpuNs();
      lines = await timedPage(given, turnsMs);
      bestNs = Math.min(bestNs, cpuNs() - before);
    }
    process.stdout.write(
      `  ${`${routes} routes, ${endpoints} endpoints`.padEnd(30)} ${lines.toLocaleString('en').padStart(7)} lines, ` +
        `${(bestNs / 1e6).toFixed(0).padStart(3)} ms of CPU, the longest of ${turnsMs.length} turns ${Math.max(...turnsMs).toFixed(1)} ms\n`,
    );
  }
}
