import { after } from 'node:test';

import { VdsoClock } from '../../faults/vdso-clock.ts';
import { EtcdCluster, EtcdServer } from '../../servers/etcd.ts';
import type { Cell } from './cell.ts';
import { proveColumn } from './column.ts';
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

/** Of all nodes. Leases go by the monotonic clock of the leader. */
async function clocksStepped(cell: Cell, stepMs: number): Promise<void> {
  const clocks = cluster.nodes.map(({ pid }) => new VdsoClock(pid));
  const set = (offsetMs: number) => clocks.forEach((clock) => clock.set(offsetMs));
  try {
    await serverClockStepped(cell, site, () => set(stepMs));
  } finally {
    set(0);
  }
}

proveColumn('etcd', {
  alone: toSharedNodes,
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
    serverClockForward: (cell) => clocksStepped(cell, HOUR_MS),
    serverClockBack: (cell) => clocksStepped(cell, -HOUR_MS),
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
