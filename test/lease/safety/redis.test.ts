import assert from 'node:assert/strict';
import { after } from 'node:test';

import { FakeClock } from '../../faults/faketime.ts';
import { Relay } from '../../faults/relay.ts';
import { RedisServer } from '../../servers/redis.ts';
import { type Cell, LONG_TTL_MS } from './cell.ts';
import { proveColumn } from './column.ts';
import {
  directly,
  everywhere,
  forgotten,
  forgottenTokens,
  HOUR_MS,
  lostAfterwards,
  nodesLost,
  serverClockStepped,
  type Site,
} from './faults.ts';
import type { FaultOf } from './matrix.ts';

/** A primary, and where leases wait for one, a replica of it. */
interface Servers {
  readonly primary: RedisServer;
  /** Between the two. */
  readonly replication: Relay;
  readonly replica: RedisServer;
  readonly clock: FakeClock;
  readonly site: Site;
}

/** A busy machine's replica may be late. */
const WITHIN_MS = 300;

const siteOf = (waits: boolean, { port }: RedisServer): Site => ({
  ports: [port],
  address: (ports) => ({ store: 'redis', ports, ...(waits ? { replicas: { count: 1, within: WITHIN_MS } } : {}) }),
});

async function startServers(things: Pick<Cell, 'use'>, waits: boolean, args: readonly string[] = []): Promise<Servers> {
  const clock = things.use(new FakeClock());
  const primary = things.use(await RedisServer.start({ clock, args }));
  const replication = things.use(await Relay.open(primary.port));
  const replica = things.use(await RedisServer.start({ replicaOf: replication.port }));
  return { primary, replication, replica, clock, site: siteOf(waits, primary) };
}

function runsOf(waits: boolean, site: Site): { readonly [F in FaultOf<'redis'>]: (cell: Cell) => Promise<void> } {
  return {
    ...everywhere(site),
    async restarted(cell) {
      const { primary, site: own } = await startServers(cell, waits, [
        '--appendonly',
        'yes',
        '--appendfsync',
        'always',
      ]);
      await nodesLost(cell, own, { lose: () => primary.kill(), back: () => primary.restart() });
    },
    async emptied(cell) {
      const { primary, site: own } = await startServers(cell, waits);
      await forgotten(cell, own, async () => {
        await primary.kill();
        await primary.restart();
      });
    },
    async emptiedClockBack(cell) {
      const { primary, clock, site: own } = await startServers(cell, waits);
      await forgottenTokens(cell, own, async () => {
        await primary.kill();
        clock.set(-HOUR_MS);
        await primary.restart();
      });
    },
    async failedOver(cell) {
      const { primary, replication, replica, site: own } = await startServers(cell, waits);
      replication.cut();
      await forgotten(cell, own, async () => {
        await primary.kill();
        await replica.promote();
        return siteOf(waits, replica);
      });
    },
    async serverClockForward(cell) {
      const { clock, site: own } = await startServers(cell, waits);
      await forgotten(cell, own, async () => clock.set(HOUR_MS));
    },
    async serverClockBack(cell) {
      const { clock, site: own } = await startServers(cell, waits);
      await serverClockStepped(cell, own, () => clock.set(-HOUR_MS));
    },
  };
}

const things = new AsyncDisposableStack();
after(() => things[Symbol.asyncDispose]());
const { primary: shared } = await startServers(things, false);

proveColumn('redis', { runs: runsOf(false, siteOf(false, shared)) });

proveColumn('redisWait', {
  runs: {
    ...runsOf(true, siteOf(true, shared)),
    /** What the replica has not confirmed is not granted; what it has is kept until its end. */
    async failedOver(cell) {
      const { primary, replication, replica, site } = await startServers(cell, true);
      const holder = await cell.hand(cell.ground.shared(2), directly(site));
      const late = await cell.hand(cell.ground.shared(2), directly(site), LONG_TTL_MS);
      await cell.increments([holder]);
      replication.hold();
      await assert.rejects(late.hold(0), /replica|in time/);
      replication.pass();
      await holder.hold();
      replication.cut();
      await primary.kill();
      await replica.promote();
      cell.use(await RedisServer.start({ replicaOf: replica.port }));
      await lostAfterwards(cell, holder, siteOf(true, replica));
    },
  },
});
