import { after } from 'node:test';

import { postgresLeases } from '../../../src/lease/index.ts';
import { FakeClock } from '../../faults/faketime.ts';
import { Relay } from '../../faults/relay.ts';
import { PostgresServer } from '../../servers/postgres.ts';
import type { Cell } from './cell.ts';
import { proveColumn } from './column.ts';
import {
  directly,
  everywhere,
  forgotten,
  forgottenTokens,
  HOUR_MS,
  lostAfterwards,
  nodesLost,
  serverClockBack,
  type Site,
} from './faults.ts';

const siteOf = ({ port }: PostgresServer): Site => ({
  ports: [port],
  address: (ports) => ({ store: 'postgres', ports }),
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

const things = new AsyncDisposableStack();
after(() => things[Symbol.asyncDispose]());
const site = siteOf(await startServer(things));

proveColumn('postgres', {
  runs: {
    ...everywhere(site),
    async restarted(cell) {
      const server = await startServer(cell);
      await nodesLost(cell, siteOf(server), { lose: () => server.kill(), back: () => server.restart() });
    },
    async emptied(cell) {
      const empty = await startServer(cell);
      await forgotten(cell, site, async () => siteOf(empty));
    },
    async emptiedClockBack(cell) {
      const clock = cell.use(new FakeClock());
      const empty = await startServer(cell, clock);
      clock.set(-HOUR_MS);
      await forgottenTokens(cell, site, async () => siteOf(empty));
    },
    async failedOver(cell) {
      const { primary, replication, standby } = await withStandby(cell, false);
      replication.cut();
      await forgotten(cell, siteOf(primary), async () => {
        await primary.kill();
        await standby.promote();
        return siteOf(standby);
      });
    },
    async failedOverSync(cell) {
      const { primary, replication, standby } = await withStandby(cell, true);
      const holder = await cell.hand(cell.ground.shared(2), directly(siteOf(primary)));
      await cell.increments([holder]);
      await holder.hold();
      replication.cut();
      await primary.kill();
      await standby.promote();
      await lostAfterwards(cell, holder, siteOf(standby));
    },
    async serverClockForward(cell) {
      const clock = cell.use(new FakeClock());
      await forgotten(cell, siteOf(await startServer(cell, clock)), async () => clock.set(HOUR_MS));
    },
    async serverClockBack(cell) {
      const clock = cell.use(new FakeClock());
      await serverClockBack(cell, siteOf(await startServer(cell, clock)), clock);
    },
  },
});
