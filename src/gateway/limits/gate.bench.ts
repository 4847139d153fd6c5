/**
 * What limits cost a request, in ns of CPU time: all that a worker does for them from the routed request to the verdict, on the memory that
 * workers share, with nobody at the limit. One client, and ten thousand by turns.
 *
 *     npm run bench -- gate
 */
import { CellStore, compileSnapshot, resolveConfig } from '../config/index.ts';
import { systemClock } from '../../kernel/clock.ts';
import { addressFrom } from '../../kernel/ip-address.ts';
import { routed } from '../../../test/engine/routed.ts';
import type { Gate } from './gate.ts';
import { Leases } from './leases.ts';
import { Limits } from './limits.ts';
import { Stores } from './stores.ts';
import { createVerdict } from './verdict.ts';

/** A tenth of a second and more, for CPU time is counted in ticks of 4 ms. */
const ROUNDS = 600_000;
const REPEATS = 9;
const stores = new Stores({ clock: systemClock, lane: 1, notice: () => {} });

function gateOf(keys: readonly (string | undefined)[]) {
  const names = keys.map((_, index) => `limit-${index}`);
  const { config } = resolveConfig({
    listeners: [{ name: 'web', address: '127.0.0.1:0', limits: { requests: names } }],
    services: [{ name: 'shop', endpoints: ['127.0.0.1:9'] }],
    routes: [{ service: 'shop' }],
    limits: keys.map((key, index) => ({
      name: names[index]!,
      // Never reached: what is refused costs more.
      algorithm: { type: 'token-bucket', capacity: 1_000_000_000, refillPerSecond: 1_000_000 },
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
const one = [addressFrom('192.0.2.7')!];
const many = Array.from({ length: 10_000 }, (_, id) => addressFrom(`10.1.${id >> 8}.${id & 255}`)!);
const keyed = { routed: request, listener: 'web', route: 'all' };
const verdict = createVerdict();

for (const [title, keys, clients] of [
  ['one limit, by client', ['client'], one],
  ['one limit, by client, ten thousand of them', ['client'], many],
  ['one limit, by header', ['header:X-Api-Key'], one],
  ['two limits, all or none', ['client', undefined], one],
  ['three limits, all or none', ['client', undefined, 'header:X-Api-Key'], one],
] as const) {
  const gate = gateOf(keys);
  const times: number[] = [];
  for (let repeat = 0; repeat < REPEATS; repeat++) {
    const before = process.cpuUsage();
    for (let round = 0; round < ROUNDS; round++) {
      request.client = clients[round % clients.length]!;
      gate.enter(keyed, verdict);
    }
    const { user, system } = process.cpuUsage(before);
    times.push(((user + system) * 1000) / ROUNDS);
  }
  times.sort((a, b) => a - b);
  const median = times[REPEATS >> 1]!;
  process.stdout.write(
    `${title.padEnd(44)} ${median.toFixed(0).padStart(5)} ns   best ${times[0]!.toFixed(0).padStart(5)} ns\n`,
  );
}
