import { after } from 'node:test';

import { FakeClock } from '../../faults/faketime.ts';
import { RedisServer } from '../../servers/redis.ts';
import type { Cell } from './cell.ts';
import { proveColumn } from './column.ts';
import {
  everywhere,
  forgotten,
  forgottenTokens,
  HOUR_MS,
  type Loss,
  nodesLost,
  serverClockStepped,
  type Site,
} from './faults.ts';

const NODES = 5;

interface Nodes {
  readonly servers: readonly RedisServer[];
  /** Of a majority. */
  readonly clock: FakeClock;
  readonly site: Site;
}

async function startNodes(things: Pick<Cell, 'use'>, args: readonly string[] = []): Promise<Nodes> {
  const clock = things.use(new FakeClock());
  const starts = Array.from({ length: NODES }, (_, index) =>
    RedisServer.start({ args, ...(index < 3 ? { clock } : {}) }),
  );
  const servers = (await Promise.all(starts)).map((server) => things.use(server));
  const site: Site = {
    ports: servers.map(({ port }) => port),
    address: (ports) => ({ store: 'redlock', ports }),
  };
  return { servers, clock, site };
}

const kill = async (servers: readonly RedisServer[]) =>
  void (await Promise.all(servers.map((server) => server.kill())));
const restart = async (servers: readonly RedisServer[]) =>
  void (await Promise.all(servers.map((server) => server.restart())));
const loss = (servers: readonly RedisServer[]): Loss => ({ lose: () => kill(servers), back: () => restart(servers) });
const durable = ['--appendonly', 'yes', '--appendfsync', 'always'];

const things = new AsyncDisposableStack();
after(() => things[Symbol.asyncDispose]());
const { site: shared } = await startNodes(things);

proveColumn('redlock', {
  runs: {
    ...everywhere(shared),
    async minorityLost(cell) {
      const { servers, site } = await startNodes(cell);
      await nodesLost(cell, site, loss(servers.slice(0, 2)));
    },
    async majorityLost(cell) {
      const { servers, site } = await startNodes(cell, durable);
      await nodesLost(cell, site, { ...loss(servers.slice(0, 3)), isMost: true });
    },
    /** Of the three that granted it, one forgets; the two that were away never knew. */
    async minorityEmpty(cell) {
      const { servers, site } = await startNodes(cell);
      const away = servers.slice(0, 2);
      const forgets = servers.slice(2, 3);
      await kill(away);
      await forgotten(cell, site, async () => {
        await kill(forgets);
        await restart([...away, ...forgets]);
      });
    },
    async restarted(cell) {
      const { servers, site } = await startNodes(cell, durable);
      await nodesLost(cell, site, loss(servers));
    },
    async emptied(cell) {
      const { servers, site } = await startNodes(cell);
      await forgotten(cell, site, async () => {
        await kill(servers);
        await restart(servers);
      });
    },
    /** Ballots come from the clocks of clients: the holder's was an hour ahead. */
    async emptiedClockBack(cell) {
      const { servers, site } = await startNodes(cell);
      const clock = cell.use(new FakeClock());
      clock.set(HOUR_MS);
      const empty = async (): Promise<void> => {
        await kill(servers);
        await restart(servers);
      };
      await forgottenTokens(cell, site, empty, cell.ownProcess({ environment: clock.environment }));
    },
    async serverClockForward(cell) {
      const { clock, site } = await startNodes(cell);
      await forgotten(cell, site, async () => clock.set(HOUR_MS));
    },
    async serverClockBack(cell) {
      const { clock, site } = await startNodes(cell);
      await serverClockStepped(cell, site, () => clock.set(-HOUR_MS));
    },
  },
});
