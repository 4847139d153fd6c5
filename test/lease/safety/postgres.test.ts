import { after } from 'node:test';

import { postgresLeases } from '../../../src/lease/index.ts';
import { FakeClock } from '../../faults/faketime.ts';
import { Relay } from '../../faults/relay.ts';
import { PostgresServer } from '../../servers/postgres.ts';
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
  reconnected,
  serverClockStepped,
  type Site,
} from './faults.ts';
import type { FaultOf } from './matrix.ts';

type Column = 'postgres' | 'postgresSession';

const siteOf = (store: Column, { port }: PostgresServer): Site => ({
  ports: [port],
  address: (ports) => ({ store, ports }),
});

async function startServer(things: Pick<Cell, 'use'>, clock?: FakeClock): Promise<PostgresServer> {
  const server = things.use(await PostgresServer.start(clock === undefined ? {} : { clock }));
  await postgresLeases(server.pool({ max: 1 })).migrate();
  return server;
}

async function withStandby(cell: Cell, synchronous: boolean) {
  const primary = await startServer(cell);
  const replication = cell.use(await Relay.open(primary.port));
  const standby = cell.use(await primary.startStandby({ port: replication.port, synchronous }));
  return { primary, replication, standby };
}

/** A standby takes over while the holder hears nothing, and knows no lease of it. */
async function takenOver(cell: Cell, store: Column, synchronous: boolean): Promise<void> {
  const { primary, replication, standby } = await withStandby(cell, synchronous);
  // Whose commits wait for the standby, has all there.
  if (!synchronous) replication.cut();
  await forgotten(cell, siteOf(store, primary), async () => {
    await primary.kill();
    await standby.promote();
    return siteOf(store, standby);
  });
}

const things = new AsyncDisposableStack();
after(() => things[Symbol.asyncDispose]());
const server = await startServer(things);

/** What does the same to both stores. */
function runsOf(store: Column) {
  const site = siteOf(store, server);
  return {
    ...everywhere(site),
    async emptied(cell) {
      const empty = await startServer(cell);
      await forgotten(cell, site, async () => siteOf(store, empty));
    },
    async emptiedClockBack(cell) {
      const clock = cell.use(new FakeClock());
      const empty = await startServer(cell, clock);
      clock.set(-HOUR_MS);
      await forgottenTokens(cell, site, async () => siteOf(store, empty));
    },
    failedOver: (cell) => takenOver(cell, store, false),
    async serverClockBack(cell) {
      const clock = cell.use(new FakeClock());
      await serverClockStepped(cell, siteOf(store, await startServer(cell, clock)), () => clock.set(-HOUR_MS));
    },
  } satisfies { readonly [F in FaultOf<Column>]?: (cell: Cell) => Promise<void> };
}

proveColumn('postgres', {
  runs: {
    ...runsOf('postgres'),
    async restarted(cell) {
      const own = await startServer(cell);
      await nodesLost(cell, siteOf('postgres', own), { lose: () => own.kill(), back: () => own.restart() });
    },
    async failedOverSync(cell) {
      const { primary, replication, standby } = await withStandby(cell, true);
      const holder = await cell.hand(cell.ground.shared(2), directly(siteOf('postgres', primary)));
      await cell.increments([holder]);
      await holder.hold();
      replication.cut();
      await primary.kill();
      await standby.promote();
      await lostAfterwards(cell, holder, siteOf('postgres', standby));
    },
    async serverClockForward(cell) {
      const clock = cell.use(new FakeClock());
      const site = siteOf('postgres', await startServer(cell, clock));
      await forgotten(cell, site, async () => clock.set(HOUR_MS));
    },
  },
});

proveColumn('postgresSession', {
  runs: {
    ...runsOf('postgresSession'),
    // It asks again when a third of its ttl is over.
    reconnected: (cell) =>
      reconnected(cell, siteOf('postgresSession', server), {
        written: { fenced: false, plain: true },
        ttlMs: 3 * LONG_TTL_MS,
      }),
    async restarted(cell) {
      const own = await startServer(cell);
      await forgotten(cell, siteOf('postgresSession', own), async () => {
        await own.kill();
        await own.restart();
      });
    },
    failedOverSync: (cell) => takenOver(cell, 'postgresSession', true),
    async serverClockForward(cell) {
      const clock = cell.use(new FakeClock());
      const site = siteOf('postgresSession', await startServer(cell, clock));
      await serverClockStepped(cell, site, () => clock.set(HOUR_MS));
    },
  },
});
