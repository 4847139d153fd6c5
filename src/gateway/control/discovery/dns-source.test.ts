/** When DNS is asked, on simulated time; and how long a config waits for a source that says nothing. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { dnsServer } from '../../../../test/dns-server.ts';
import type { DnsClient } from '../../../drivers/dns/client.ts';
import type { DnsQuestion } from '../../../drivers/dns/message.ts';
import { SpillwayError } from '../../../kernel/errors.ts';
import { SimulatedClock } from '../../../kernel/simulated-clock.ts';
import { resolveConfig } from '../../config/index.ts';
import { Discovery } from './discovery.ts';
import { DnsSource } from './dns-source.ts';
import type { Outcome } from './knowledge.ts';

const random = { int32: () => 0, unit: () => 0 };

/** A source of one name whose records hold for `ttlS`, and what was asked and told at which second. */
function watched(ttlS: (type: string) => number) {
  const clock = new SimulatedClock();
  const asked: string[] = [];
  const told: Outcome[] = [];
  const startedMs = clock.nowMs();
  let heard = Promise.withResolvers<void>();
  const state = { failing: false };
  const client: Pick<DnsClient, 'ask'> = {
    async ask({ name, type }: DnsQuestion) {
      asked.push(`${Math.round((clock.nowMs() - startedMs) / 1000)} ${type}`);
      if (state.failing) throw new SpillwayError('DNS_FAILED', 'SERVFAIL');
      const record = { name, ttlS: ttlS(type), type: 'A' as const, address: '10.0.0.1' };
      return type === 'A'
        ? { records: [record], ttlS: ttlS(type), exists: true }
        : { records: [{ ...record, type: 'AAAA' as const, address: 'fd00::1' }], ttlS: ttlS(type), exists: true };
    },
  };
  const refresh = { min: 1000, max: 300_000 };
  const source = new DnsSource({
    ...{ clock, random, client, targetsMax: () => 10 },
    plan: () => ({ name: 'a.b', port: 80, family: 'any', servers: [], timeout: 1, refresh }),
    told: (outcome) => {
      told.push(outcome);
      heard.resolve();
    },
  });
  /** Lets time pass, and then what follows from it happen. */
  const pass = async (ms: number): Promise<void> => {
    clock.pass(ms);
    for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate);
  };
  const first = async (): Promise<void> => {
    await heard.promise;
    heard = Promise.withResolvers();
    await pass(0);
  };
  return { asked, told, source, state, pass, first };
}

test('each question is asked again when its own answer has expired, and not before', async () => {
  const { asked, source, pass, first } = watched((type) => (type === 'A' ? 10 : 25));
  await first();
  assert.deepEqual(asked, ['0 A', '0 AAAA']);
  await pass(9_000);
  assert.equal(asked.length, 2);
  for (let second = 9; second < 31; second++) await pass(1000);
  assert.deepEqual(asked.slice(2), ['10 A', '20 A', '25 AAAA', '30 A']);
  source.close();
  await pass(100_000);
  assert.equal(asked.length, 6, 'nothing after it is closed');
});

test('a TTL of 0 is the least pause and a TTL of a day the longest; failures keep what was known', async () => {
  const short = watched(() => 0);
  await short.first();
  for (let second = 0; second < 3; second++) await short.pass(1000);
  assert.deepEqual(
    short.asked.filter((each) => each.endsWith(' A')),
    ['0 A', '1 A', '2 A', '3 A'],
  );
  short.state.failing = true;
  await short.pass(1000);
  const last = short.told.at(-1);
  assert.deepEqual([last?.problem, last?.endpoints?.length], ['SERVFAIL', 2]);
  const long = watched(() => 86_400);
  await long.first();
  await long.pass(299_000);
  assert.equal(long.asked.length, 2);
  await long.pass(1000);
  assert.equal(long.asked.length, 4);
});

test('a config waits for a source that says nothing, but not for ever', async () => {
  const clock = new SimulatedClock();
  const discovery = new Discovery({
    clock,
    random,
    ports: () => ({}),
    adminPort: () => null,
    onChange: () => {},
    onEvent: () => {},
  });
  await using server = await dnsServer(() => []);
  const dns = { name: 'a.b', port: 80, servers: [`127.0.0.1:${server.port}`], timeout: '30s' as const };
  const { config } = resolveConfig({
    listeners: [{ name: 'web', address: '127.0.0.1:0' }],
    services: [{ name: 'shop', discovery: { dns } }],
    routes: [{ service: 'shop' }],
  });
  let isReady = false;
  const ready = discovery.prepare(config!).then(() => (isReady = true));
  clock.pass(4900);
  while (server.asked.length < 2) await new Promise(setImmediate);
  assert.equal(isReady, false);
  clock.pass(200);
  await ready;
  assert.deepEqual(discovery.found(config!.services[0]!, config!), []);
  discovery.close();
});
