/** The ledger is kept while objectives are watched, also when it cannot be written for a while. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { createRandom } from '../../../kernel/random.ts';
import { SimulatedClock } from '../../../kernel/simulated-clock.ts';
import { resolveSlos } from '../load.ts';
import { sloId } from '../objective.ts';
import { Bookkeeper } from './bookkeeper.ts';
import { Ledger } from './ledger.ts';

const { slos } = resolveSlos({
  service: 'shop',
  slos: ['up', 'quick'].map((name) => ({ name, objective: '99.9%' as const, sli: { availability: {} } })),
}).slos!;
const [up, quick] = [slos[0]!, slos[1]!];
const options = { clock: new SimulatedClock(), random: createRandom() };
const outage = (fromMs: number) => ({ fromMs, toMs: fromMs + 60_000, good: 0, bad: 500 });

test('each objective has its own bursts, and an objective that is not watched any more leaves what it had', async () => {
  const ledger = await Ledger.open({ ...options, path: null });
  const keeper = new Bookkeeper(ledger, () => assert.fail('nothing is wrong'));
  keeper.step(up, outage(0), 1000);
  keeper.step(quick, outage(0), 1000);
  keeper.step(up, outage(60_000), 1000);
  assert.equal(ledger.entries.length, 0);
  keeper.retain(new Set([sloId(up)]));
  await keeper.close();
  assert.deepEqual(
    ledger.entries.map((entry) => (entry.kind === 'spent' ? [entry.slo, entry.bad] : [])),
    [
      ['shop-quick', 500],
      ['shop-up', 1000],
    ],
  );
});

test('what could not be written is told once, and written when it can be', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'spillway-ledger-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const ledger = await Ledger.open({ ...options, path: join(folder, 'ledger.ndjson') });
  const told: (string | null)[] = [];
  const keeper = new Bookkeeper(ledger, (problem) => told.push(problem));
  const add = ledger.add.bind(ledger);
  let refused = 0;
  ledger.add = (fact) => {
    refused += 1;
    return refused <= 2 ? Promise.reject(new Error('no space left')) : add(fact);
  };
  for (let minute = 0; minute < 20; minute += 1) {
    keeper.step(up, outage(minute * 60_000), 1000);
    // A write may end between two steps.
    await new Promise((resolve) => setImmediate(resolve));
  }
  await keeper.close();
  await ledger.close();
  assert.deepEqual(told, ['no space left', null]);
  const again = await Ledger.open({ ...options, path: join(folder, 'ledger.ndjson') });
  const bad = again.entries.reduce((sum, entry) => sum + (entry.kind === 'spent' ? entry.bad : 0), 0);
  assert.equal(bad, 20 * 500);
  await again.close();
});
