/** A trial that has won waits for its turn, in a real gateway: what was asked for before that comes first, and may end it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ManualClock } from '../../../test/engine/manual-clock.ts';
import { cleanups, config, origin } from '../../../test/gateway-under-test.ts';
import type { Clock } from '../../kernel/clock.ts';
import { createRandom } from '../../kernel/random.ts';
import { ControlPlane } from './control-plane.ts';
import { type ConfigReading, valueSource } from './read-config.ts';

const WATCH_MS = 1000;

/** All connections run by a config on trial that does well. `over` ends its time: the verdict is given, and not carried out yet. */
async function doingWell() {
  const clock = new ManualClock();
  const plane = new ControlPlane({
    ...{ clock, source: valueSource(config(await origin('old'))), watch: false, workers: 1, random: createRandom() },
    workerEntry: new URL('../worker.ts', import.meta.url),
  });
  cleanups.push(() => plane.stop());
  await plane.start();
  const source = valueSource(config(await origin('new')));
  await plane.apply(source, { share: 1, watchMs: WATCH_MS });
  const get = async (): Promise<string> => {
    const { address } = plane.readings.state().listeners[0]!;
    return (await fetch(`http://${address}/`, { headers: { connection: 'close' } })).text();
  };
  for (let sent = 0; sent < 30; sent++) assert.equal(await get(), 'new');
  const state = () => {
    const { canary, reloads, history } = plane.readings.state();
    return { phase: canary?.phase, reason: canary?.reason, reloads, causes: history.map(({ cause }) => cause) };
  };
  const over = (): void => {
    clock.pass(WATCH_MS);
    assert.equal(state().phase, 'watching');
  };
  /** Whoever asks now has his turn after all who asked before. */
  const allDone = async (): Promise<void> => {
    assert.equal((await plane.reload('call', null)).kind, 'unchanged');
  };
  return { plane, clock, source, get, state, over, allDone };
}

test('promoted when its turn has come', async () => {
  const { get, state, over, allDone } = await doingWell();
  over();
  await allDone();
  assert.equal(state().phase, 'promoted');
  assert.deepEqual(state().causes, ['canary', 'start']);
  assert.equal(await get(), 'new');
});

test('a file that is saved as it was asks for nothing: the trial goes on', async () => {
  const { plane, state } = await doingWell();
  assert.equal((await plane.reload('file', null)).kind, 'unchanged');
  assert.equal(state().phase, 'watching');
  assert.equal((await plane.reload('call', null)).kind, 'unchanged');
  assert.equal(state().phase, 'rolled-back');
});

test('taken back when its config, read once more, is refused', async () => {
  const { source, get, state, over, allDone } = await doingWell();
  source.read = async () => ({
    kind: 'refused',
    code: 'CONFIG_INVALID',
    reason: 'A mistake.',
    problems: [],
    files: [],
  });
  over();
  await allDone();
  assert.deepEqual([state().phase, state().reason], ['rolled-back', 'A mistake.']);
  assert.equal(state().reloads.lastOutcome, 'refused');
  assert.equal(await get(), 'old');
});

test('not promoted when another config was put in force before its turn; the success of that one is what is told', async () => {
  const { plane, clock, get, state, over, allDone } = await doingWell();
  const third = valueSource(config(await origin('third')));
  const begun = Promise.withResolvers<void>();
  const goOn = Promise.withResolvers<void>();
  const readSlowly = async (_: Clock, signal: AbortSignal): Promise<ConfigReading> => {
    begun.resolve();
    await goOn.promise;
    return third.read(clock, signal);
  };
  const applied = plane.reload('admin', { file: null, read: readSlowly });
  await begun.promise;
  over();
  goOn.resolve();
  assert.equal((await applied).kind, 'applied');
  await allDone();
  assert.deepEqual([state().phase, state().reason], ['rolled-back', 'another config was put in force']);
  assert.deepEqual([state().reloads.applied, state().reloads.refused], [1, 0]);
  assert.deepEqual(state().causes, ['admin', 'start']);
  assert.equal(await get(), 'third');
});
