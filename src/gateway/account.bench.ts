/**
 * What the telemetry of one request through the gateway costs a worker: counters and histograms of listener, route and endpoint, the line of the
 * access log, ids and decision of a trace that is not kept.
 *
 * The exchange is filled as one that has ended well and accounted for again and again; what of a trace is done at the head is the difference of
 * writing the forwarding fields with and without it. CPU time of the process, so that of writing the log is in it. Beside it what
 * `JSON.stringify` takes for such a line, since a machine that others use makes all of it slower.
 *
 *     npm run bench -- account            also part of: npm run bench -- observe
 */
import { addressFrom, AddressSet } from '../kernel/ip-address.ts';
import { systemClock } from '../kernel/clock.ts';
import { createRandom } from '../kernel/random.ts';
import { CellStore, compileSnapshot, resolveConfig } from './config/index.ts';
import type { ClientConnection } from './l7/client.ts';
import { Exchange } from './l7/exchange.ts';
import { Forwarding, ForwardingWriter } from './l7/forwarded.ts';
import { Head, OK } from './l7/head.ts';
import { Plane } from './l7/plane.ts';
import { parseRequestHead } from './l7/request-head.ts';
import { cellLane } from '../kernel/cells.ts';
import { bucketOf } from './durations.ts';
import { ENDPOINT_SLOTS, endpointSlots, LISTENER_SLOTS } from './slots.ts';

const ROUNDS = 15;
/** Between two turns of the event loop, as many as a busy worker ends in a tick. */
const BATCH = 200;
const BATCHES = 200;

const { config } = resolveConfig({
  listeners: [{ name: 'web', address: '127.0.0.1:0' }],
  services: [{ name: 'shop', endpoints: ['127.0.0.1:9001'] }],
  routes: [{ name: 'api', match: { path: '/api/*' }, service: 'shop' }],
});
const compiled = compileSnapshot(config!, {
  version: 1,
  cells: new CellStore(2),
  ticketSecret: new Uint8Array(32),
  pseudonym: 'spillway-1',
});

interface Telemetry {
  readonly log: boolean;
  readonly traces: boolean;
}

/** A worker's plane that has a request to account for. */
function made({ log, traces }: Telemetry) {
  const snapshot = {
    ...compiled,
    accessLog: { share: log ? 1 : 0, target: '/dev/null', redactQuery: [] },
    traces: traces ? { sample: 0, slowMs: 60_000, perSecond: 100 } : null,
  };
  const [random, clock] = [createRandom(), systemClock];
  const plane = new Plane({
    ...{ clock, random, lane: 1, transport: 'net', snapshot },
    rowFull() {},
    notice() {},
    traced() {},
  });
  plane.apply(snapshot);
  const [listenerPlan] = snapshot.listeners;
  const trusted = AddressSet.compile([]);
  if ('mistake' in trusted) throw new Error(trusted.mistake);
  const { tracer } = plane;
  const writer = new ForwardingWriter({
    ...{ plan: listenerPlan!, trusted, pseudonym: 'spillway-1', port: 8080, random },
    tracer: traces ? tracer : null,
  });
  const forwarding = new Forwarding(addressFrom('203.0.113.195'));
  const head = new Head();
  const text = 'GET /api/cart?id=1 HTTP/1.1\r\nHost: shop.example\r\nUser-Agent: curl/8.5.0\r\nAccept: */*\r\n\r\n';
  const bytes = Buffer.from(text, 'latin1');
  const { requestLineBytesMax, headerBytesMax, headerFieldsMax } = listenerPlan!.limits;
  const limits = { requestLineBytesMax, headerBytesMax, headerFieldsMax, underscoresInNames: 'reject' } as const;
  if (parseRequestHead(head, bytes, 0, bytes.length, limits) !== OK) throw new Error(head.problem);
  const retained = new Uint8Array(4096);
  retained.set(bytes);
  const exchange = new Exchange(plane);
  const [route] = plane.routes;
  const arm = route!.arm({} as never);
  const endpoint = snapshot.services[0]!.endpoints[0]!;
  const lane = cellLane(endpoint.cell, ENDPOINT_SLOTS, 1);
  Object.assign(exchange, { route, arm, service: arm.service, status: 200 });
  Object.assign(exchange.attempt, { endpoint: { lane, plan: endpoint }, reused: true });
  Object.defineProperty(exchange, 'retained', { value: retained });
  exchange.client = {
    ...{ plane, forwarding, security: { version: '' } },
    listener: { plan: listenerPlan, lane: cellLane(listenerPlan!.cell, LISTENER_SLOTS, 1) },
  } as unknown as ClientConnection;
  const headRun = (): void => {
    if (writer.prepare(forwarding, head) !== OK) throw new Error('refused');
    writer.write(forwarding, head, retained, bytes.length - 2);
  };
  const endRun = (): void => {
    const nowMs = plane.nowMs + 5;
    exchange.startMs = plane.nowMs;
    exchange.attempt.connectedMs = plane.nowMs + 0.1;
    exchange.attempt.firstByteMs = plane.nowMs + 4;
    exchange.answer.lastByteMs = plane.nowMs + 4.9;
    // The attempt counts its own time when its answer comes.
    lane[endpointSlots.durationSumMs]! += 3.9;
    lane[endpointSlots.buckets + bucketOf(3.9)]! += 1;
    plane.accounts.exchange(exchange, nowMs);
  };
  headRun();
  return { plane, headRun, endRun };
}

async function nsOf(plane: Plane, run: () => void): Promise<number> {
  const before = process.cpuUsage();
  for (let batch = 0; batch < BATCHES; batch++) {
    for (let times = 0; times < BATCH; times++) run();
    await new Promise((resolve) => setImmediate(resolve));
  }
  const { user, system } = process.cpuUsage(before);
  return ((user + system) * 1000) / (BATCH * BATCHES);
}

/** What a logger does at least, on this machine at this moment. */
const line = {
  ...{
    time: '2026-08-01T12:30:05.042Z',
    client: '203.0.113.195',
    listener: 'web',
    method: 'GET',
    host: 'shop.example',
  },
  ...{ path: '/api/cart', query: 'id=1', protocol: 'HTTP/1.1', userAgent: 'curl/8.5.0' },
  ...{ correlation_id: '0af7651916cd43dd8448eb211c80319c', trace_id: '0af7651916cd43dd8448eb211c80319c' },
  ...{ span_id: 'b7ad6b7169203331', status: 200, bytesIn: 0, bytesOut: 5120, route: 'api', service: 'shop' },
  ...{ endpoint: '127.0.0.1:9001', attempts: 1, reused: true, verdict: 'ok', end: 'ok' },
  ms: { total: 5.001, wait: 0.1, firstByte: 3.9, body: 0.9, client: 0.1 },
};
let sink = 0;

const off = made({ log: false, traces: false });
const on = made({ log: false, traces: true });
const whole = made({ log: true, traces: true });
const parts: readonly (readonly [string, Plane, () => void])[] = [
  ['counters and histograms', off.plane, off.endRun],
  ['and a trace that is not kept', on.plane, on.endRun],
  ['and a line of the access log', whole.plane, whole.endRun],
  ['forwarding fields', off.plane, off.headRun],
  ['and ids of a trace', on.plane, on.headRun],
  ['an empty turn of the loop', off.plane, () => {}],
  ['JSON.stringify of such a line', off.plane, () => void (sink += JSON.stringify(line).length)],
];
const best = parts.map(() => Number.POSITIVE_INFINITY);
for (let round = 0; round < ROUNDS; round++) {
  for (const [index, [, plane, run]] of parts.entries()) best[index] = Math.min(best[index]!, await nsOf(plane, run));
}
const [, , end = 0, fields = 0, traced = 0, turn = 0] = best;
for (const [index, [name]] of parts.entries()) {
  process.stdout.write(`${name.padEnd(32)} ${(best[index]! - (index === 5 ? 0 : turn)).toFixed(0).padStart(6)} ns\n`);
}
process.stdout.write(
  `${'all telemetry of one request'.padEnd(32)} ${(end - turn + Math.max(0, traced - fields)).toFixed(0).padStart(6)} ns\n`,
);
if (sink === 0) throw new Error('nothing was written');
await Promise.all([off, on, whole].map(({ plane }) => plane.accounts.close()));
