/** What limits cost a request, in ns of CPU time: `npm run bench -- gate`. */
import { CellStore, compileSnapshot, resolveConfig } from '../config/index.ts';
import { systemClock } from '../../kernel/clock.ts';
import { addressFrom } from '../../kernel/ip-address.ts';
import { routed } from '../../../test/engine/routed.ts';
import type { Gate } from './gate.ts';
import { Leases } from './leases.ts';
import { Limits } from './limits.ts';
import { Stores } from './stores.ts';
import { createVerdict } from './verdict.ts';

const ROUNDS = 300_000;
const stores = new Stores({ clock: systemClock, lane: 1, notice: () => {} });

function gateOf(keys: readonly (string | undefined)[]) {
  const names = keys.map((_, index) => `limit-${index}`);
  const { config } = resolveConfig({
    listeners: [{ name: 'web', address: '127.0.0.1:0', limits: { requests: names } }],
    services: [{ name: 'shop', endpoints: ['127.0.0.1:9'] }],
    routes: [{ service: 'shop' }],
    limits: keys.map((key, index) => ({
      name: names[index]!,
      algorithm: { type: 'token-bucket', capacity: 1_000_000, refillPerSecond: 1_000_000 },
      ...(key === undefined ? {} : { key }),
    })),
  });
  const options = { version: 1, cells: new CellStore(3), ticketSecret: new Uint8Array(32), pseudonym: 'bench' };
  const snapshot = compileSnapshot(config!, options);
  const limits = Limits.of(snapshot, { clock: systemClock, lane: 1, leases: new Leases(() => 0), stores })!;
  // None of them is in a store.
  return limits.gate('web', snapshot.routes[0]!) as Gate;
}

const request = routed({ host: 'shop.example', path: '/', fields: [['X-Api-Key', 'a-key-of-some-length']] });
request.client = addressFrom('192.0.2.7')!;
const keyed = { routed: request, listener: 'web', route: 'all' };
const verdict = createVerdict();

for (const [title, keys] of [
  ['one limit, by client', ['client']],
  ['one limit, by header', ['header:X-Api-Key']],
  ['two limits, all or none', ['client', undefined]],
  ['three limits, all or none', ['client', undefined, 'header:X-Api-Key']],
] as const) {
  const gate = gateOf(keys);
  let bestNs = Infinity;
  for (let repeat = 0; repeat < 7; repeat++) {
    const before = process.cpuUsage();
    for (let round = 0; round < ROUNDS; round++) gate.enter(keyed, verdict);
    const { user, system } = process.cpuUsage(before);
    bestNs = Math.min(bestNs, ((user + system) * 1000) / ROUNDS);
  }
  process.stdout.write(`${title}: ${bestNs.toFixed(0)} ns a request\n`);
}
