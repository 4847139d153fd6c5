/** What was kept is read while a gateway goes on, in simulated time and from real files. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { json } from 'node:stream/consumers';
import { after, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { cellLane } from '../../kernel/cells.ts';
import { createRandom } from '../../kernel/random.ts';
import { SimulatedClock } from '../../kernel/simulated-clock.ts';
import { eachLookATurn } from '../../../test/observe/series-folder.ts';
import type { AlertExplanation } from '../../observe/slo/alerts/explanation.ts';
import type { MetricRecord } from '../../observe/otlp/metric-record.ts';
import { resolveSlos } from '../../observe/slo/load.ts';
import { CellStore, resolveConfig } from '../config/index.ts';
import { ROUTE_SLOTS, routeSlots } from '../slots.ts';
import type { AlertReceiver } from '../alerts/alerting.ts';
import { ChangeLog } from './change-log.ts';
import { History } from './history.ts';
import { compileInForce } from './in-force.ts';
import { ReceivedMetrics } from './received-metrics.ts';

const root = mkdtempSync(join(tmpdir(), 'spillway-history-'));
after(() => rmSync(root, { recursive: true, force: true }));

class Gateway {
  readonly history: History;
  readonly clock: SimulatedClock;
  readonly notices: string[] = [];
  readonly changes: ChangeLog;
  readonly received: ReceivedMetrics;
  readonly #slots;

  constructor(clock: SimulatedClock, folder: string, alertReceivers: readonly AlertReceiver[] = []) {
    const { config, mistakes } = resolveConfig({
      listeners: [{ name: 'web', address: '127.0.0.1:0' }],
      services: [{ name: 'shop', endpoints: ['127.0.0.1:9001'] }],
      routes: [{ name: 'all', service: 'shop' }],
    });
    assert.ok(config, JSON.stringify(mistakes));
    const { slos } = resolveSlos({
      service: 'shop',
      slos: [{ name: 'up', objective: '99%', sli: { availability: {} } }],
    });
    const objectives = { slos: ['shop.slo.yaml'], objectives: slos!.slos };
    const force = compileInForce({ ...config, ...objectives, folder, data: 'data', alertReceivers }, [], {
      ...{ version: 1, cells: new CellStore(2), ticketSecret: new Uint8Array(32), pseudonym: 'g' },
    });
    this.clock = clock;
    this.changes = new ChangeLog(clock);
    this.received = new ReceivedMetrics(clock);
    this.#slots = cellLane(force.snapshot.routes[0]!.cell, ROUTE_SLOTS, 0);
    this.history = new History({
      ...{ clock, random: createRandom(), changes: this.changes, received: this.received, force: () => force },
      onEvent: (event) => void (event.kind === 'notice' && this.notices.push(event.message)),
    });
  }

  /** Some that are well, and a second. */
  answer(count: number): void {
    this.#slots[routeSlots.responses1xx + 1]! += count;
    this.clock.pass(1000);
  }

  /** Some that failed, and a second. */
  fail(count: number): void {
    this.#slots[routeSlots.responses5xx]! += count;
    this.clock.pass(1000);
  }

  /** Time passes until there is a status: whatever is read meanwhile is real. */
  async status() {
    while (true) {
      const [status] = this.history.slos ?? [];
      if (status !== undefined) return status;
      this.clock.pass(1000);
      await setImmediate();
    }
  }
}

/** Files in a folder that this process has open. */
function openIn(folder: string): string[] {
  const links = readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      return [];
    }
  });
  return links.filter((link) => link.startsWith(folder));
}

test('budgets are told when what was kept of them is read; what is counted meanwhile is sampled each second', async () => {
  const [clock, folder] = [new SimulatedClock(), mkdtempSync(join(root, 'a-'))];
  const first = new Gateway(clock, folder);
  assert.equal(first.history.waiting, 'starting');
  await first.history.start();
  await first.status();
  first.answer(40);
  await first.history.stop();
  const next = new Gateway(clock, folder);
  await next.history.start();
  next.answer(1);
  next.answer(2);
  assert.deepEqual([next.history.slos, next.history.waiting], [[], 'reading'], 'it is still read');
  const toMs = clock.wallMs() + 1;
  const [row] = next.history.series.range({ name: 'spillway_requests_total', fromMs: toMs - 1001, toMs }).rows;
  assert.deepEqual(row?.kind === 'counter' && [...row.values], [1, 2]);
  assert.equal((await next.status()).good, 43);
  assert.equal(next.history.waiting, null);
  await next.history.stop();
});

test('who leads and which breakers are open, as services push it, and what burns stand among the changes, once', async () => {
  const gateway = new Gateway(new SimulatedClock(), mkdtempSync(join(root, 'standing-')));
  await gateway.history.start();
  await gateway.status();
  const seat = (holder: string, term: number): MetricRecord => ({
    ...{ service: 'shop', instance: holder, name: 'spillway_seat_term', type: 'gauge', unit: '', help: '' },
    points: [{ attributes: { seat: 'cron', holder }, startMs: 0, timeMs: gateway.clock.wallMs(), value: term }],
  });
  gateway.received.add([seat('ann', 1)]);
  gateway.answer(10);
  const open: MetricRecord = {
    ...{ service: 'shop', instance: '', name: 'spillway_breaker_state', type: 'gauge', unit: '', help: '' },
    points: ['closed', 'open'].map((state) => ({
      attributes: { breaker: 'bank', state },
      ...{ startMs: 0, timeMs: gateway.clock.wallMs(), value: state === 'open' ? 1 : 0 },
    })),
  };
  gateway.received.add([seat('bob', 2), open]);
  gateway.fail(200);
  gateway.answer(1);
  const told = gateway.changes.changes({ after: 0, limit: 100 }).map(({ kind, what }) => `${kind}: ${what}`);
  assert.deepEqual(told, [
    'slo: shop-up spends its error budget more than 14.4 times too fast.',
    'breaker: Breaker bank of shop is open.',
    'leader: bob leads cron, in term 2.',
    'leader: ann leads cron, in term 1.',
  ]);
  await gateway.history.stop();
});

test('one that is stopped while it starts leaves nothing open, and what it had counted is kept', async () => {
  const [clock, folder] = [new SimulatedClock(), mkdtempSync(join(root, 'b-'))];
  const early = new Gateway(clock, folder);
  const starting = early.history.start();
  await early.history.stop();
  await starting;
  const reading = new Gateway(clock, folder);
  await reading.history.start();
  reading.answer(5);
  assert.deepEqual(reading.history.slos, [], 'it is still read');
  await reading.history.stop();
  assert.equal(clock.timers, 0);
  assert.deepEqual(openIn(folder), []);
  const next = new Gateway(clock, folder);
  await next.history.start();
  assert.equal((await next.status()).good, 5);
  assert.deepEqual([...early.notices, ...reading.notices, ...next.notices], []);
  await next.history.stop();
});

test('a folder that another has is asked for until it is free, and said once', async () => {
  const [clock, folder] = [new SimulatedClock(), mkdtempSync(join(root, 'c-'))];
  const [first, next] = [new Gateway(clock, folder), new Gateway(clock, folder)];
  await first.history.start();
  await first.status();
  await next.history.start();
  await next.status();
  first.answer(10);
  next.answer(3);
  for (let tries = 0; tries < 5; tries++) {
    clock.pass(10_000);
    for (let turns = 0; turns < 20; turns++) await setImmediate();
  }
  assert.equal(next.notices.length, 1);
  assert.match(next.notices[0]!, /not kept on disk: “.*” is being written by process/);
  await first.history.stop();
  while (next.notices.length < 2) {
    clock.pass(1000);
    await setImmediate();
  }
  next.answer(1);
  assert.equal(next.history.slos![0]!.good, 14);
  assert.equal(next.notices[1], 'What is counted is kept on disk now.');
  await next.history.stop();
});

test('nobody sees a half of a budget that is taken up late', async () => {
  const [clock, folder] = [new SimulatedClock(), mkdtempSync(join(root, 'f-'))];
  const [first, next] = [new Gateway(clock, folder), new Gateway(clock, folder)];
  await first.history.start();
  await first.status();
  await next.history.start();
  await next.status();
  first.answer(100);
  first.fail(50);
  next.answer(3);
  await first.history.stop();
  eachLookATurn(clock);
  const seen = new Set<string>();
  while (next.notices.length < 2) {
    clock.pass(1000);
    const { good, bad } = next.history.slos![0]!;
    seen.add(`${good} and ${bad}`);
    await setImmediate();
  }
  clock.pass(1000);
  const { good, bad } = next.history.slos![0]!;
  seen.add(`${good} and ${bad}`);
  assert.deepEqual([...seen], ['3 and 0', '103 and 50']);
  await next.history.stop();
});

test('a file that cannot be read keeps nothing else from being read, and is said', async () => {
  const [clock, folder] = [new SimulatedClock(), mkdtempSync(join(root, 'g-'))];
  const first = new Gateway(clock, folder);
  await first.history.start();
  await first.status();
  first.answer(40);
  await first.history.stop();
  mkdirSync(join(folder, 'data', '10s-0000000000001-000000.series'));
  const next = new Gateway(clock, folder);
  await next.history.start();
  assert.equal((await next.status()).good, 40);
  assert.equal(next.notices.length, 1);
  assert.match(next.notices[0]!, /10s-0000000000001-000000\.series cannot be read \(EISDIR/);
  await next.history.stop();
});

test('durations that were kept by other buckets begin anew, and that is said', async () => {
  const [clock, folder] = [new SimulatedClock(), mkdtempSync(join(root, 'h-'))];
  const time = ({ history }: Gateway, ...bounds: number[]): void =>
    history.series
      .histogram({ name: 'd', bounds: Float64Array.from(bounds) })
      .add(clock.wallMs(), { buckets: [1], counts: [1], sum: 1 });
  const first = new Gateway(clock, folder);
  await first.history.start();
  await first.status();
  time(first, 1, 2);
  await first.history.stop();
  const next = new Gateway(clock, folder);
  await next.history.start();
  await next.status();
  time(next, 1, 2, 3);
  next.answer(1);
  next.answer(1);
  assert.match(
    next.notices.join(),
    /^What was kept of a series was counted otherwise, as by other buckets, and is let go of/,
  );
  assert.equal(next.notices.length, 1);
  await next.history.stop();
});

test('planned work is left out of what was kept after a restart, too', async () => {
  const [clock, folder] = [new SimulatedClock(), mkdtempSync(join(root, 'e-'))];
  const first = new Gateway(clock, folder);
  await first.history.start();
  await first.status();
  first.answer(5);
  const [from, to] = [5, 600].map((seconds) => new Date(clock.wallMs() + seconds * 1000).toISOString());
  const note = await first.history.budgets.note({ kind: 'maintenance', from, to, text: 'new disks' });
  assert.equal(typeof note, 'object', JSON.stringify(note));
  clock.pass(60_000);
  first.fail(100);
  await first.history.stop();
  clock.pass(600_000);
  const next = new Gateway(clock, folder);
  await next.history.start();
  const { good, bad } = await next.status();
  assert.deepEqual([good, bad], [5, 0]);
  await next.history.stop();
});

test('an alert that was told before a restart is not told again, and its end is', async (t) => {
  const [clock, folder] = [new SimulatedClock(), mkdtempSync(join(root, 'd-'))];
  const states: string[] = [];
  const receiver = createServer((request, response) => {
    void json(request).then((body) => {
      states.push((body as AlertExplanation).state);
      response.end();
    });
  });
  t.after(() => receiver.close());
  receiver.listen(0, '127.0.0.1');
  await once(receiver, 'listening');
  const url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/`;
  const begin = async (): Promise<Gateway> => {
    const gateway = new Gateway(clock, folder, [{ name: 'oncall', kind: 'webhook', url, on: 'all' }]);
    await gateway.history.start();
    await gateway.status();
    return gateway;
  };
  const first = await begin();
  // What was told is kept once it was taken: there is no event for that.
  const path = join(folder, 'data', 'alerts.json');
  while (!existsSync(path) || !/"firing".*"atMs":\d/.test(readFileSync(path, 'utf8'))) {
    first.fail(10);
    await setImmediate();
  }
  await first.history.stop();
  const second = await begin();
  for (let seconds = 0; seconds < 60; seconds++) second.fail(10);
  assert.equal(second.history.slos![0]!.alerts[0]!.state, 'firing');
  await second.history.stop();
  clock.pass(2 * 3_600_000);
  const third = await begin();
  while (states.length < 2) {
    third.answer(1);
    await setImmediate();
  }
  assert.deepEqual(states, ['firing', 'resolved']);
  await third.history.stop();
});
