import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, test } from 'node:test';
import { createTrafficCell, defaultEjectionPolicy, defaultEligibilityPolicy } from '../../health/index.ts';
import { cellHeader, createCell } from '../../kernel/cells.ts';
import { systemClock, type Clock } from '../../kernel/clock.ts';
import { seededRandom } from '../../kernel/random.ts';
import { ENDPOINT_SLOTS, HEALTH, HEALTH_DOWN, HEALTH_UNKNOWN, HEALTH_UP } from '../slots.ts';
import type { GatewayEvent } from './events.ts';
import { HealthChecks } from './health-checks.ts';
import type { CheckPlan, HealthPlan } from './health-plan.ts';

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

/** A server whose answer to a check can be changed: a status, or null to say nothing. */
async function endpoint() {
  const state: { status: number | null; asked: number } = { status: 200, asked: 0 };
  const server: Server = createServer((_request, response) => {
    state.asked += 1;
    if (state.status !== null) response.writeHead(state.status).end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanups.push(() => {
    server.close();
    server.closeAllConnections();
  });
  return { state, port: (server.address() as AddressInfo).port };
}

function question(path: string): CheckPlan['probe'] {
  const expectation = { status: [{ from: 200, to: 299 }], headers: [], body: null };
  return { type: 'http', method: 'GET', path, host: null, fields: {}, expectation };
}

function plan(port: number, given: Partial<HealthPlan> = {}, check: Partial<CheckPlan> = {}): HealthPlan {
  return {
    service: 'shop',
    endpoint: `127.0.0.1:${port}`,
    weight: 1,
    backup: false,
    traffic: createTrafficCell(2),
    policy: {
      passive: null,
      ejection: defaultEjectionPolicy,
      eligibility: { ...defaultEligibilityPolicy, failOpenBelow: 0 },
    },
    cell: createCell(2, ENDPOINT_SLOTS),
    check: {
      host: '127.0.0.1',
      identity: '127.0.0.1',
      port,
      probe: question('/'),
      tls: null,
      intervalMs: 30,
      allowLinkLocal: false,
      jitterRatio: 0.1,
      timeoutMs: 100,
      unhealthyAfter: 3,
      healthyAfter: 1,
      ...check,
    },
    ...given,
  };
}

function checks(clock: Clock = systemClock) {
  const emitter = new EventEmitter();
  const seen: GatewayEvent[] = [];
  const health = new HealthChecks({
    clock,
    random: seededRandom(3),
    onEvent: (event) => {
      seen.push(event);
      emitter.emit(event.kind, event);
    },
  });
  cleanups.push(() => health.stop());
  return { health, emitter, seen };
}

const word = ({ cell }: HealthPlan): number => Atomics.load(cellHeader(cell), HEALTH);

test('an endpoint is unknown, then up, then down after three failures with the reason, then up at the first success', async () => {
  const { state, port } = await endpoint();
  const { health, emitter } = checks();
  const one = plan(port);
  assert.equal(word(one), HEALTH_UNKNOWN);
  const up = once(emitter, 'endpoint-up');
  health.update([one]);
  assert.deepEqual(health.known('shop', one.endpoint).health, 'unknown');
  await up;
  assert.equal(word(one), HEALTH_UP);
  state.status = 503;
  const down = once(emitter, 'endpoint-down');
  const before = state.asked;
  const subject = { service: 'shop', endpoint: one.endpoint };
  assert.deepEqual(await down, [
    { kind: 'endpoint-down', ...subject, reason: 'status 503, expected 200-299', ejected: false },
  ]);
  assert.ok(state.asked - before >= 3, `asked ${state.asked - before} times`);
  assert.equal(word(one), HEALTH_DOWN);
  state.status = 200;
  const [event] = (await once(emitter, 'endpoint-up')) as [Extract<GatewayEvent, { kind: 'endpoint-up' }>];
  assert.equal(event.reason, 'status 200');
  assert.deepEqual(health.known('shop', one.endpoint).changes, [
    { to: 'up', cause: 'check', count: 2 },
    { to: 'down', cause: 'status', count: 1 },
  ]);
  assert.ok((event.downForMs ?? -1) > 0);
  assert.equal(word(one), HEALTH_UP);
});

test('services that name the same check of the same address share one prober', async () => {
  const { state, port } = await endpoint();
  const { health, emitter } = checks();
  const [shop, blog] = [plan(port), plan(port, { service: 'blog' })];
  health.update([shop, blog]);
  state.status = 500;
  const down: string[] = [];
  await new Promise<void>((resolve) =>
    emitter.on('endpoint-down', ({ service }: { service: string }) => {
      down.push(service);
      if (down.length === 2) resolve();
    }),
  );
  assert.deepEqual(down.sort(), ['blog', 'shop']);
  assert.deepEqual([word(shop), word(blog)], [HEALTH_DOWN, HEALTH_DOWN]);
  for (const service of ['shop', 'blog']) {
    const { reason, cause } = health.known(service, shop.endpoint);
    assert.deepEqual([reason, cause], ['status 500, expected 200-299', 'status']);
  }
  // Two probers of their own would have asked at least six times until both were down.
  assert.ok(state.asked <= 4, `asked ${state.asked} times`);
});

test('what is known survives an update, also with another interval; another question starts anew', async () => {
  const { state, port } = await endpoint();
  state.status = 404;
  const { health, emitter, seen } = checks();
  const one = plan(port);
  health.update([one]);
  await once(emitter, 'endpoint-down');
  health.update([one]);
  health.update([{ ...one, check: { ...one.check!, intervalMs: 60_000 } }]);
  assert.equal(word(one), HEALTH_DOWN);
  assert.equal(health.known('shop', one.endpoint).health, 'down');
  assert.equal(seen.length, 1);
  health.update([
    plan(
      port,
      { cell: one.cell },
      { intervalMs: 60_000, probe: { type: 'tcp', expectation: { send: null, expect: null } } },
    ),
  ]);
  assert.equal(word(one), HEALTH_UNKNOWN);
});

test('an endpoint that is no longer checked, or gone, is not left down', async () => {
  const { state, port } = await endpoint();
  state.status = 404;
  const { health, emitter } = checks();
  const one = plan(port);
  health.update([one]);
  await once(emitter, 'endpoint-down');
  health.update([{ ...one, check: null }]);
  assert.equal(word(one), HEALTH_UNKNOWN);
  const { outMs, ...known } = health.known('shop', one.endpoint);
  assert.ok(outMs > 0);
  assert.deepEqual(known, {
    ...{ check: null, outSinceMs: null },
    health: 'unknown',
    reason: 'not checked',
    cause: 'none',
    sinceMs: null,
    changes: [
      { to: 'down', cause: 'status', count: 1 },
      { to: 'unknown', cause: 'none', count: 1 },
    ],
  });
  health.update([one]);
  await once(emitter, 'endpoint-down');
  health.update([]);
  assert.equal(word(one), HEALTH_UNKNOWN);
});

test('the last endpoint that only times out is kept, until it fails otherwise or another comes back', async () => {
  const [slow, dead] = [await endpoint(), await endpoint()];
  slow.state.status = null;
  dead.state.status = 500;
  const { health, emitter } = checks();
  const [first, second] = [plan(slow.port, {}, { timeoutMs: 400 }), plan(dead.port)];
  health.update([first, second]);
  const [kept] = (await once(emitter, 'endpoint-kept')) as [Extract<GatewayEvent, { kind: 'endpoint-kept' }>];
  assert.equal(kept.reason, 'no answer within 400 ms');
  assert.deepEqual([word(first), word(second)], [HEALTH_UNKNOWN, HEALTH_DOWN]);
  assert.match(health.known('shop', first.endpoint).reason, /^kept as the last: no answer/);
  const out = once(emitter, 'endpoint-down');
  dead.state.status = 200;
  const [{ endpoint: ejected }] = (await out) as [{ endpoint: string }];
  assert.equal(ejected, first.endpoint);
  assert.deepEqual([word(first), word(second)], [HEALTH_DOWN, HEALTH_UP]);
});

test('intervals vary by the jitter, and the same seed gives the same ones', async () => {
  const { port } = await endpoint();
  const delays = async (): Promise<number[]> => {
    const asked: number[] = [];
    const done = Promise.withResolvers<void>();
    // Time stands still but for the timers, so what is asked for is the interval with its jitter alone.
    const clock: Clock = {
      ...systemClock,
      nowMs: () => 0,
      after: (delayMs, run, options) => {
        if (delayMs === 777) return systemClock.after(10_000, run, options);
        asked.push(delayMs);
        if (asked.length === 6) done.resolve();
        return systemClock.after(1, run, options);
      },
    };
    const { health } = checks(clock);
    health.update([plan(port, {}, { intervalMs: 1_000, jitterRatio: 0.2, timeoutMs: 777 })]);
    await done.promise;
    health.stop();
    return asked.slice(1, 6);
  };
  const first = await delays();
  assert.ok(
    first.every((delayMs) => delayMs >= 800 && delayMs <= 1_200),
    String(first),
  );
  assert.equal(new Set(first).size, first.length);
  assert.deepEqual(await delays(), first);
});

test('at most 64 checks run at once', async () => {
  const { state, port } = await endpoint();
  state.status = null;
  const timeoutMs = 5_000;
  let due = 0;
  const allDue = Promise.withResolvers<void>();
  // No check is over before the test is, and all become due at once.
  const clock: Clock = {
    ...systemClock,
    after: (delayMs, run, options) => {
      if (delayMs === timeoutMs) return systemClock.after(600_000, run, options);
      return systemClock.after(1, () => {
        run();
        due += 1;
        if (due === 100) allDue.resolve();
      });
    },
  };
  const { health } = checks(clock);
  const check = (index: number): Partial<CheckPlan> => ({ timeoutMs, intervalMs: 6_000, probe: question(`/${index}`) });
  health.update(Array.from({ length: 100 }, (_, index) => plan(port, { endpoint: `${index}` }, check(index))));
  await allDue.promise;
  while (state.asked < 64) await new Promise((resolve) => setImmediate(resolve));
  // Behind whatever was sent before it.
  state.status = 200;
  assert.equal((await fetch(`http://127.0.0.1:${port}`)).status, 200);
  assert.equal(state.asked, 65);
});
