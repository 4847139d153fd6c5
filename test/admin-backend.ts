/** A gateway as the admin API sees it, for tests of the API alone: it counts and remembers, and what is not given must not be asked for. */
import { BudgetGate } from '../src/gateway/control/budget-gate.ts';
import assert from 'node:assert/strict';
import type { AdminBackend } from '../src/gateway/admin/backend.ts';
import { Assets } from '../src/gateway/admin/assets.ts';
import { LiveFeed } from '../src/gateway/admin/live-feed.ts';
import { Telemetry } from '../src/gateway/control/telemetry.ts';
import { systemClock } from '../src/kernel/clock.ts';
import { createRandom } from '../src/kernel/random.ts';

const applied = {
  kind: 'applied',
  version: 2,
  restored: null,
  changes: ['route a: added'],
  pendingRestart: [],
  kept: null,
} as const;

const notAsked = (): never => assert.fail('not asked for');

export function adminBackend(given: Partial<AdminBackend> = {}) {
  const audits: string[] = [];
  let reloads = 0;
  const whole: AdminBackend = {
    state: () => ({ phase: 'running' }) as never,
    endpointStates: () => [],
    metrics: notAsked,
    notAlive: () => null,
    notReady: () => null,
    explain: (request) => ({ request }) as never,
    reload: async () => {
      reloads += 1;
      return { ...applied, cause: 'admin' };
    },
    rollback: async (version) => ({ ...applied, cause: 'rollback', restored: version }),
    apply: async (file, trial) =>
      trial === null
        ? { ...applied, cause: 'admin' }
        : { kind: 'refused', reason: `${file} ${JSON.stringify(trial)}`, problems: [] },
    ...{
      drain: notAsked,
      undrain: notAsked,
      changeEndpoints: notAsked,
      changes: notAsked,
      configText: notAsked,
      series: notAsked,
      slos: notAsked,
      slosWaiting: () => null,
    },
    wallMs: () => systemClock.wallMs(),
    assets: new Assets(),
    live: new LiveFeed(systemClock, notAsked, notAsked),
    budgets: {
      gate: new BudgetGate({ objectives: () => [], statuses: () => null, record: notAsked, onEvent: notAsked }),
      view: () => ({ spendings: [], entries: [] }),
      note: notAsked,
    },
    telemetry: new Telemetry({ clock: systemClock, random: createRandom(), notice: notAsked, families: notAsked }),
    renewToken: async () => {},
    madeToken: () => null,
    audit: ({ action, outcome }) => audits.push(`${action} → ${outcome}`),
    ...given,
  };
  return { whole, audits, reloads: () => reloads };
}
