/**
 * What a server of the example tells the gateway: what it measures (its requests, counted, timed and part of their traces), and who of the three
 * leads, which would write the daily report; whom it mails how often; and which shelf it fills, of those that only one fills at a time.
 */
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createElections } from 'spillway/elect';
import { sqliteLeases } from 'spillway/lease';
import { createLimiter, type Limiter, tokenBucket } from 'spillway/limit';
import { createLocks, type Locks } from 'spillway/lock';
import { instrument } from 'spillway/observe/instrument';

/** `admin` is the address of the gateway's admin API; the leases that servers share are kept in `folder`. */
export function tellGateway(name: string, admin: string, folder: string): void {
  const { metrics } = instrument({ service: 'shop', instance: name, otlp: admin, every: '1s' });
  const leases = sqliteLeases(join(folder, 'leases.db'));
  const elections = createElections(leases, { holder: name, metrics });
  const lead = elections.whileLeader('daily-report', { ttl: '3s' }, ({ signal }) => once(signal, 'abort'));
  lead.catch((error: unknown) => console.error(`${name} cannot lead: ${String(error)}`));

  const algorithm = tokenBucket({ capacity: 5, refillPerSecond: 0.5 });
  void mail(createLimiter({ name: 'mails', algorithm, metrics, showKeys: true }));
  const locks = createLocks(leases, { holder: name, metrics, metricsName: () => 'shelf', showNames: true });
  fill(locks).catch((error: unknown) => console.error(`${name} cannot fill shelves: ${String(error)}`));
}

/** One of them wants more than others. */
async function mail(mails: Limiter): Promise<never> {
  const customers = ['ann@example.org', 'bob@example.org', 'ann@example.org', 'cid@example.org', 'ann@example.org'];
  for (let at = 0; ; at++) {
    await mails.take(customers[at % customers.length]!);
    await sleep(400);
  }
}

async function fill(locks: Locks): Promise<never> {
  for (;;) {
    const shelf = 1 + Math.floor(4 * Math.random());
    await locks.withLock(`shelf:${shelf}`, { ttl: '3s', wait: '1h' }, () => sleep(3000 + 5000 * Math.random()));
  }
}
