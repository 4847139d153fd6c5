import { after } from 'node:test';

import { EtcdCluster, EtcdServer } from '../../servers/etcd.ts';
import { proveColumn } from './column.ts';
import { everywhere, forgottenTokens, nodesLost, type Site } from './faults.ts';

const cluster = await EtcdCluster.start();
after(() => cluster[Symbol.asyncDispose]());

const siteOf = (servers: readonly EtcdServer[]): Site => ({
  ports: servers.map(({ port }) => port),
  address: (ports) => ({ store: 'etcd', ports }),
});
const site = siteOf(cluster.nodes);

async function followers(): Promise<EtcdServer[]> {
  const leader = await cluster.leader();
  return cluster.nodes.filter((node) => node !== leader);
}

proveColumn('etcd', {
  alone: ['minorityLost', 'leaderLost', 'minorityEmpty', 'majorityLost', 'restarted'],
  runs: {
    ...everywhere(site),
    async minorityLost(cell) {
      const [node] = await followers();
      await nodesLost(cell, site, { lose: () => node!.kill(), back: () => node!.restart() });
    },
    async leaderLost(cell) {
      const node = await cluster.leader();
      await nodesLost(cell, site, { lose: () => node.kill(), back: () => node.restart() });
    },
    async minorityEmpty(cell) {
      const [node] = await followers();
      await nodesLost(cell, site, { lose: () => node!.kill(), back: () => cluster.restartEmpty(node!) });
    },
    async majorityLost(cell) {
      const lost = await followers();
      await nodesLost(cell, site, {
        lose: () => all(lost, (node) => node.kill()),
        back: () => all(lost, (node) => node.restart()),
        isMost: true,
      });
    },
    async restarted(cell) {
      await nodesLost(cell, site, {
        lose: () => all(cluster.nodes, (node) => node.kill()),
        back: () => all(cluster.nodes, (node) => node.restart()),
      });
    },
    async emptied(cell) {
      const server = cell.use(await EtcdServer.start());
      const own = siteOf([server]);
      await forgottenTokens(cell, own, async () => {
        await server.kill();
        await server.restartEmpty();
      });
    },
  },
});

async function all<Server>(servers: readonly Server[], act: (server: Server) => Promise<void>): Promise<void> {
  await Promise.all(servers.map(act));
}
