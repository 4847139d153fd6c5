/**
 * What each store guarantees under each fault: the table of docs/guides/locks.md, which is made from this, and the list of what the tests beside this
 * file must show: a cell without a test does not compile, and a test that shows more harm, or less, than its cell says fails.
 *
 * Holders look at their lease right before they write (`assertHeld`), as the guide tells them to.
 */

/**
 * - `guaranteed`: no two are in their critical section at once, and no update is lost, also at a resource that checks nothing.
 * - `detected`: that can happen, and a resource that checks the token refuses whoever is too late.
 * - `not guaranteed`: the token may go back too, and nothing detects it.
 */
export type Claim = 'guaranteed' | 'detected' | 'not guaranteed';

export const faults = {
  paused: 'The holder is stopped between looking and writing, for longer than its ttl',
  killed: 'The holder is killed',
  cutToServer: 'What the holder sends is lost',
  cutToClient: 'What the holder is sent is lost',
  cutBoth: 'The holder is cut off both ways',
  slow: 'The network is slow, then stands still, then delivers all',
  reconnected: 'The holder is disconnected, and back when its lease is over',
  clientClockStepped: 'A client’s clock is set an hour forward or back',
  clientClockSlow: 'A client’s clock goes at half speed while it is cut off',
  minorityLost: 'A minority of the nodes dies',
  leaderLost: 'The leader of the nodes dies',
  majorityLost: 'A majority of the nodes dies and comes back',
  minorityEmpty: 'A minority comes back without its data',
  restarted: 'The server, or all of them, is killed and restarted with its data',
  failedOver: 'A replica takes over that lacks the last writes',
  failedOverSync: 'A synchronous standby takes over',
  serverClockForward: 'The server’s clock is set an hour forward',
  serverClockBack: 'The server’s clock is set an hour back',
  emptied: 'All data is lost',
  emptiedClockBack: 'All data is lost, and the clock is set back',
} as const;

export type Fault = keyof typeof faults;

/** As long as a store is reached by a network, this is the same for all. */
const everywhere = {
  paused: 'detected',
  killed: 'guaranteed',
  cutToServer: 'guaranteed',
  cutToClient: 'guaranteed',
  cutBoth: 'guaranteed',
  slow: 'guaranteed',
  reconnected: 'guaranteed',
  clientClockStepped: 'guaranteed',
  clientClockSlow: 'guaranteed',
  restarted: 'guaranteed',
} as const;

/** Stores that go by the server's wall clock, and mint tokens from it. */
const byWallClock = {
  ...everywhere,
  emptied: 'detected',
  emptiedClockBack: 'not guaranteed',
  serverClockForward: 'detected',
  serverClockBack: 'guaranteed',
} as const;

/** Locks that are the server's as long as a connection lasts: others can have them the moment that it ends, whatever the ttl. */
const bySession = {
  ...everywhere,
  reconnected: 'detected',
  restarted: 'detected',
  failedOver: 'detected',
  failedOverSync: 'detected',
  emptied: 'detected',
  emptiedClockBack: 'not guaranteed',
  serverClockForward: 'guaranteed',
  serverClockBack: 'guaranteed',
} as const;

/** Stores that agree among their nodes on every lease and number them. */
const consensus = {
  ...everywhere,
  minorityLost: 'guaranteed',
  leaderLost: 'guaranteed',
  majorityLost: 'guaranteed',
  minorityEmpty: 'guaranteed',
  serverClockForward: 'guaranteed',
  serverClockBack: 'guaranteed',
  emptied: 'not guaranteed',
} as const;

/** What is absent cannot happen to that store. */
export const matrix = {
  sqlite: {
    paused: 'detected',
    killed: 'guaranteed',
    clientClockStepped: 'guaranteed',
    emptied: 'detected',
    emptiedClockBack: 'not guaranteed',
  },
  postgres: { ...byWallClock, failedOver: 'detected', failedOverSync: 'guaranteed' },
  postgresSession: bySession,
  redis: { ...byWallClock, failedOver: 'detected' },
  redisWait: { ...byWallClock, failedOver: 'guaranteed' },
  redlock: { ...byWallClock, minorityLost: 'guaranteed', majorityLost: 'guaranteed', minorityEmpty: 'detected' },
  etcd: consensus,
  zookeeper: consensus,
} as const satisfies Readonly<Record<string, Readonly<Partial<Record<Fault, Claim>>>>>;

export type Store = keyof typeof matrix;
/** What a store's tests must provoke. */
export type FaultOf<S extends Store> = keyof (typeof matrix)[S] & Fault;

export const stores: Readonly<Record<Store, string>> = {
  sqlite: 'SQLite',
  postgres: 'PostgreSQL',
  postgresSession: 'PostgreSQL, session',
  redis: 'Redis',
  redisWait: 'Redis, `replicas`: 1',
  redlock: 'Redlock, 5 nodes',
  etcd: 'etcd, 3 nodes',
  zookeeper: 'ZooKeeper, 3 nodes',
};

/** In Markdown. */
export function matrixTable(): string {
  const head = ['', ...Object.values(stores)];
  const rows = Object.entries(faults).map(([fault, words]) => [
    words,
    ...Object.values(matrix).map((claims: Readonly<Partial<Record<Fault, Claim>>>) => shown(claims[fault as Fault])),
  ]);
  return [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |\n`).join('');
}

function shown(claim: Claim | undefined): string {
  if (claim === undefined) return '–';
  return claim === 'not guaranteed' ? '**not guaranteed**' : claim;
}
