import { after } from 'node:test';

import { ZookeeperEnsemble, ZookeeperServer } from '../../servers/zookeeper.ts';
import { proveColumn } from './column.ts';
import { everywhere, forgottenTokens, nodesLost, type Site } from './faults.ts';

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

proveColumn('zookeeper', {
  alone: ['minorityLost', 'leaderLost', 'minorityEmpty', 'majorityLost', 'restarted'],
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

async function all<Server>(servers: readonly Server[], act: (server: Server) => Promise<void>): Promise<void> {
  await Promise.all(servers.map(act));
}
