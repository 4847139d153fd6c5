import { after } from 'node:test';

import { FakeClock } from '../../faults/faketime.ts';
import { ZookeeperEnsemble, ZookeeperServer } from '../../servers/zookeeper.ts';
import { proveColumn } from './column.ts';
import type { Cell } from './cell.ts';
import {
  all,
  everywhere,
  forgottenTokens,
  HOUR_MS,
  nodesLost,
  serverClockStepped,
  type Site,
  toSharedNodes,
} from './faults.ts';

const ensemble = await ZookeeperEnsemble.start();
after(() => ensemble[Symbol.asyncDispose]());

const siteOf = (servers: readonly ZookeeperServer[]): Site => ({
  ports: servers.map(({ port }) => port),
  address: (ports) => ({ store: 'zookeeper', ports }),
});
const site = siteOf(ensemble.servers);

async function followers(): Promise<ZookeeperServer[]> {
  const leader = await ensemble.leader();
  return ensemble.servers.filter((server) => server !== leader);
}

/** Several at once: how they die, and how they come back. */
const loss = (lost: readonly ZookeeperServer[], data: boolean) => ({
  lose: () => all(lost, (server) => server.kill()),
  async back() {
    await all(lost, (server) => server.restart({ data }));
    await all(lost, (server) => server.serving());
  },
});

/** One server, for with a clock of its own a JVM takes many seconds to start. Sessions go by its monotonic clock. */
async function clockStepped(cell: Cell, stepMs: number): Promise<void> {
  const clock = cell.use(new FakeClock());
  const server = cell.use(await ZookeeperServer.start({ clock }));
  await serverClockStepped(cell, siteOf([server]), () => clock.set(stepMs));
}

proveColumn('zookeeper', {
  alone: toSharedNodes,
  runs: {
    ...everywhere(site),
    async minorityLost(cell) {
      await nodesLost(cell, site, loss((await followers()).slice(1), true));
    },
    async leaderLost(cell) {
      await nodesLost(cell, site, loss([await ensemble.leader()], true));
    },
    async minorityEmpty(cell) {
      await nodesLost(cell, site, loss((await followers()).slice(1), false));
    },
    async majorityLost(cell) {
      await nodesLost(cell, site, { ...loss(await followers(), true), isMost: true });
    },
    serverClockForward: (cell) => clockStepped(cell, HOUR_MS),
    serverClockBack: (cell) => clockStepped(cell, -HOUR_MS),
    restarted: (cell) => nodesLost(cell, site, loss(ensemble.servers, true)),
    async emptied(cell) {
      const server = cell.use(await ZookeeperServer.start());
      await forgottenTokens(cell, siteOf([server]), async () => {
        await server.kill();
        await server.restart({ data: false });
      });
    },
  },
});
