/**
 * A service as users write it, for tests of what is shown of those that push: limits of its own, locks and a lease, told to the gateway at `ADMIN`.
 * It asks each limit so often that each is half refused, holds a lock until it is told to give it back, and goes with its parent.
 */
import { memoryLeases } from 'spillway/lease';
import { createLimiter, fixedWindow } from 'spillway/limit';
import { createLocks } from 'spillway/lock';
import { instrument } from 'spillway/observe/instrument';

const [, , admin = ''] = process.argv;
const { metrics } = instrument({ service: 'cart', instance: 'cart-1', otlp: admin, every: '1s' });
const five = fixedWindow({ limit: 5, per: '366d' });
const logins = createLimiter({ name: 'logins', algorithm: five, metrics, showKeys: true });
const searches = createLimiter({ name: 'searches', algorithm: five, metrics });
const idle = createLimiter({ name: 'idle', algorithm: fixedWindow({ limit: 10, per: '366d' }), metrics });
for (let take = 0; take < 10; take++) {
  await logins.take('ann');
  await searches.take('secret');
}
for (let take = 0; take < 3; take++) await idle.take('bob');

const locks = createLocks(memoryLeases(), {
  holder: 'host-1',
  metrics,
  metricsName: (name) => name.split(':')[0]!,
  showNames: true,
});
const order = await locks.acquire('order:42', { ttl: '1m' });
await locks.acquire(`stock:${'7'.repeat(200)}`, { ttl: '1m' });
process.on('message', () => void order.release());
process.on('disconnect', () => process.exit());
process.send?.('they are held');
