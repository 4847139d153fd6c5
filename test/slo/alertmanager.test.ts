/** A real Alertmanager, with the routes that are compiled, takes what the gateway tells it, and takes it for over when it is. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { postJson } from '../../src/gateway/alerts/post-json.ts';
import { compileSlos, resolveSlos } from '../../src/observe/index.ts';
import { alertmanagerBody } from '../../src/observe/slo/alerts/bodies.ts';
import { explainAlert } from '../../src/observe/slo/alerts/explanation.ts';
import type { AlertStatus } from '../../src/observe/slo/live/status.ts';
import { AlertmanagerServer } from '../servers/alertmanager.ts';
import { halfSpent } from './half-spent.ts';

test('told that it is on, then that it is over', async () => {
  const { slos } = resolveSlos({
    service: 'shop',
    slos: [{ name: 'up', objective: '99.9%', sli: { availability: {} } }],
  });
  const routes = compileSlos(slos!).find(({ name }) => name === 'alertmanager.yaml')!.text;
  await using manager = await AlertmanagerServer.start(routes);
  const nowMs = Date.now();
  const alert: AlertStatus = {
    ...{ severity: 'page', burn: 14.4, longS: 3600, shortS: 300, state: 'firing', longShare: 0.5, shortShare: 1 },
    sinceMs: nowMs - 60_000,
  };
  const status = halfSpent({ exhaustionMs: 3_600_000 });
  const tell = async (state: 'firing' | 'resolved'): Promise<void> => {
    const known = { status, alert, state, nowMs, beganMs: null, contributions: [], changes: [] };
    const body = JSON.stringify(alertmanagerBody([explainAlert(known)], nowMs));
    const sent = await postJson(`${manager.url}/api/v2/alerts`, body, new AbortController().signal);
    assert.deepEqual(sent, { kind: 'done' });
  };
  await tell('firing');
  const [found, ...others] = await manager.alerts();
  assert.deepEqual(others, []);
  assert.equal(found!.labels['alertname'], 'SloBudgetBurn');
  assert.deepEqual(found!.receivers, [{ name: 'page' }], 'by the routes that are compiled');
  assert.match(found!.annotations['description']!, /20 of 43\.2 min are left \(50%\); at this rate gone in 1h\./);
  assert.equal(Date.parse(found!.endsAt), nowMs + 240_000);
  await tell('resolved');
  assert.deepEqual(await manager.alerts(), []);
});
