/** The faults that are the same whatever the store: what happens to the holder, to its line and to its clock. */
import assert from 'node:assert/strict';

import { FakeClock } from '../../faults/faketime.ts';
import type { WorkerProcess } from '../../faults/processes.ts';
import { Relay, type Way } from '../../faults/relay.ts';
import { type Cell, type Hand, LONG_TTL_MS, TTL_MS } from './cell.ts';
import type { Written } from './lock-process.ts';
import type { StoreAddress } from './stores.ts';

/** Servers that are up. */
export interface Site {
  /** Of the servers, or of relays before them, in the same order. */
  readonly ports: readonly number[];
  readonly address: (ports: readonly number[]) => StoreAddress;
}

type HolderFault =
  | 'paused'
  | 'killed'
  | 'cutToServer'
  | 'cutToClient'
  | 'cutBoth'
  | 'slow'
  | 'reconnected'
  | 'clientClockStepped'
  | 'clientClockSlow';

type Scenario = (cell: Cell, site: Site) => Promise<void>;

export function directly({ address, ports }: Site): StoreAddress {
  return address(ports);
}

/** Two that nothing is done to. */
async function others(cell: Cell, site: Site): Promise<readonly [Hand, Hand]> {
  const [one, two] = [cell.ground.shared(0), cell.ground.shared(1)];
  return [await cell.hand(one, directly(site), LONG_TTL_MS), await cell.hand(two, directly(site), LONG_TTL_MS)];
}

/** A line of the holder's own to each server. */
async function relaysOf(cell: Cell, { ports }: Site): Promise<readonly Relay[]> {
  const relays = await Promise.all(ports.map((port) => Relay.open(port)));
  return relays.map((relay) => cell.use(relay));
}

/** Does it to several servers at once. */
export async function all<Server>(servers: readonly Server[], act: (server: Server) => Promise<void>): Promise<void> {
  await Promise.all(servers.map(act));
}

/** What is done to the nodes that all cells of a cluster share. */
export const toSharedNodes = [
  'minorityLost',
  'leaderLost',
  'minorityEmpty',
  'majorityLost',
  'restarted',
  'serverClockForward',
  'serverClockBack',
] as const;

const portsOf = (relays: readonly Relay[]): readonly number[] => relays.map(({ port }) => port);

/** Stopped between the look at its lease and the write, until others have come and gone. */
export const paused: Scenario = async (cell, site) => {
  const process = cell.ownProcess();
  const holder = await cell.hand(process, directly(site));
  const rest = await others(cell, site);
  await cell.increments(rest);
  await holder.hold();
  const go = await holder.aboutToWrite();
  process.freeze();
  const written = go();
  await cell.increments(rest);
  process.thaw();
  assert.deepEqual(await written, { fenced: false, plain: true });
  await holder.release();
  await cell.increments([holder, ...rest]);
};

export const killed: Scenario = async (cell, site) => {
  const process = cell.ownProcess();
  const holder = await cell.hand(process, directly(site));
  const rest = await others(cell, site);
  await cell.increments([holder, ...rest]);
  await holder.hold();
  await holder.write();
  await process.kill();
  await cell.increments(rest);
};

/** The line of the holder is cut until others have had the lock; it looks, and finds that it has lost it. */
async function cut(cell: Cell, site: Site, ...ways: readonly Way[]): Promise<void> {
  const relays = await relaysOf(cell, site);
  const holder = await cell.hand(cell.ground.shared(2), site.address(portsOf(relays)));
  const rest = await others(cell, site);
  await cell.increments([holder, ...rest]);
  await holder.hold();
  for (const relay of relays) relay.cut(...ways);
  await cell.increments(rest);
  assert.equal(await holder.write(), 'lost');
  for (const relay of relays) relay.pass();
  await holder.release();
  await cell.increments([holder, ...rest]);
}

/** Each way; a question of several round trips is still answered within its timeout. */
const SLOW_MS = 40;

/** On a slow line it goes on; then nothing arrives, and what was under way arrives late. */
const slow: Scenario = async (cell, site) => {
  const relays = await relaysOf(cell, site);
  const holder = await cell.hand(cell.ground.shared(2), site.address(portsOf(relays)));
  const rest = await others(cell, site);
  await cell.increments(rest);
  for (const relay of relays) relay.delay(SLOW_MS);
  await cell.increments([holder, ...rest]);
  await holder.hold();
  for (const relay of relays) relay.hold();
  await cell.increments(rest);
  assert.equal(await holder.write(), 'lost');
  for (const relay of relays) relay.pass();
  await holder.release();
  await cell.increments([holder, ...rest]);
};

/**
 * Connections end and none can be made until others have had the lock: when the lease is over, after which what it had may still be there. Or at
 * once, where it ends with the connection: then `ttlMs` is so long that the holder has not asked again when it writes.
 */
export async function reconnected(
  cell: Cell,
  site: Site,
  { written = 'lost', ttlMs = TTL_MS }: { readonly written?: Written; readonly ttlMs?: number } = {},
): Promise<void> {
  const relays = await relaysOf(cell, site);
  const holder = await cell.hand(cell.ground.shared(2), site.address(portsOf(relays)), ttlMs);
  const rest = await others(cell, site);
  await cell.increments([holder, ...rest]);
  await holder.hold();
  for (const relay of relays) relay.refuse();
  for (const relay of relays) relay.reset();
  await cell.increments(rest);
  assert.deepEqual(await holder.write(), written);
  await Promise.all(relays.map((relay) => relay.accept()));
  await holder.release();
  await cell.increments([holder, ...rest]);
}

export const HOUR_MS = 3_600_000;

/** One whose clock is wrong gets nothing that another holds; a holder's lease is over when either of its clocks says so. */
export const clientClockStepped: Scenario = async (cell, site) => {
  const clock = cell.use(new FakeClock());
  const process = cell.ownProcess({ environment: clock.environment });
  const stepping = await cell.hand(process, directly(site));
  const rest = await others(cell, site);
  const [other] = rest;
  await cell.increments([stepping, ...rest]);
  await other.hold();
  for (const offsetMs of [HOUR_MS, -HOUR_MS]) {
    clock.set(offsetMs);
    assert.equal(await stepping.hold(0), null, `with its clock at ${offsetMs} ms it got what another holds`);
  }
  await other.write();
  await other.release();
  clock.set(0);
  // To a store whose leases share a session, the step back to the true time is one forward.
  await cell.increments([stepping]);
  await stepping.hold();
  clock.set(-HOUR_MS);
  assert.notEqual(await stepping.write(), 'lost');
  await stepping.release();
  await stepping.hold();
  // Later than it ever was: a lease of a session that was last kept alive while the clock was an hour ahead would rightly be held then.
  clock.set(2 * HOUR_MS);
  await cell.increments(rest);
  assert.equal(await stepping.write(), 'lost');
  await stepping.release();
  await cell.increments([stepping, ...rest]);
};

/** The wall clock of the holder goes at half speed, and its line is cut: the other clock says when its lease is over. */
const clientClockSlow: Scenario = async (cell, site) => {
  const clock = cell.use(new FakeClock());
  const relays = await relaysOf(cell, site);
  const process = cell.ownProcess({ environment: clock.environment });
  const holder = await cell.hand(process, site.address(portsOf(relays)));
  const rest = await others(cell, site);
  clock.set(0, 0.5);
  await cell.increments([holder, ...rest]);
  await holder.hold();
  for (const relay of relays) relay.cut();
  await cell.increments(rest);
  assert.equal(await holder.write(), 'lost');
  for (const relay of relays) relay.pass();
  await holder.release();
  await cell.increments([holder, ...rest]);
};

/** What can happen to a holder, whatever its store, as long as that is reached by a network. */
export function everywhere(site: Site): Readonly<Record<HolderFault, (cell: Cell) => Promise<void>>> {
  return {
    paused: (cell) => paused(cell, site),
    killed: (cell) => killed(cell, site),
    cutToServer: (cell) => cut(cell, site, 'toServer'),
    cutToClient: (cell) => cut(cell, site, 'toClient'),
    cutBoth: (cell) => cut(cell, site, 'toServer', 'toClient'),
    slow: (cell) => slow(cell, site),
    reconnected: (cell) => reconnected(cell, site),
    clientClockStepped: (cell) => clientClockStepped(cell, site),
    clientClockSlow: (cell) => clientClockSlow(cell, site),
  };
}

/** Longer than a server that looks for ended leases from time to time lets pass: etcd every half second, ZooKeeper once a tick. */
const LOOKED_MS = 1500;

/** Nobody is granted what another holds, though it may last longer than it should. */
export async function serverClockStepped(cell: Cell, site: Site, step: () => void): Promise<void> {
  const holder = await cell.hand(cell.ground.shared(2), directly(site), LONG_TTL_MS);
  const rest = await others(cell, site);
  await cell.increments([holder, ...rest]);
  await holder.hold();
  step();
  assert.equal(await rest[0].hold(LOOKED_MS), null);
  await holder.write();
  await holder.release();
  await cell.increments([holder, ...rest]);
}

/** Makes a store forget what it knows; where it is found afterwards, if that is elsewhere. */
export type Forget = () => Promise<Site | void>;

/** The store forgets a lease while its holder hears nothing. The ttl is long, so that the holder still takes it for its own when it looks. */
async function forget(
  cell: Cell,
  site: Site,
  act: Forget,
  process = cell.ground.shared(2),
): Promise<readonly [Hand, Hand, Hand]> {
  const relays = await relaysOf(cell, site);
  const holder = await cell.hand(process, site.address(portsOf(relays)), LONG_TTL_MS);
  await cell.increments([holder, ...(await others(cell, site))]);
  await holder.hold();
  for (const relay of relays) relay.hold();
  const after = (await act()) ?? site;
  return [holder, ...(await others(cell, after))];
}

/** Others get it, and what the holder writes after them comes too late. */
export async function forgotten(cell: Cell, site: Site, act: Forget): Promise<void> {
  const [holder, ...rest] = await forget(cell, site, act);
  await cell.increments(rest);
  assert.deepEqual(await holder.write(), { fenced: false, plain: true });
}

/** Elsewhere others get it when its time is over, and its holder knows by then. */
export async function lostAfterwards(cell: Cell, holder: Hand, elsewhere: Site): Promise<void> {
  await cell.increments(await others(cell, elsewhere));
  assert.equal(await holder.write(), 'lost');
}

/** Others get it with smaller tokens: who holds the lock is refused, and who held it is not. */
export async function forgottenTokens(cell: Cell, site: Site, act: Forget, process?: WorkerProcess): Promise<void> {
  const [holder, other] = await forget(cell, site, act, process);
  await other.hold();
  assert.deepEqual(await other.write(), { fenced: false, plain: true });
  assert.deepEqual(await holder.write(), { fenced: true, plain: true });
}

export interface Loss {
  readonly lose: () => Promise<void>;
  readonly back: () => Promise<void>;
  /** Nobody can hold anything then; they are back when the holder knows. */
  readonly isMost?: boolean;
}

/**
 * Nodes die while one holds the lock and others wait for it. Whether the holder keeps it or loses it, it writes only while it is its own; nobody is in its
 * way for ever; and when the nodes are back all go on.
 */
export async function nodesLost(cell: Cell, site: Site, { lose, back, isMost = false }: Loss): Promise<void> {
  const holder = await cell.hand(cell.ground.shared(2), directly(site));
  const rest = await others(cell, site);
  await cell.increments([holder, ...rest]);
  await holder.hold();
  await lose();
  await holder.write();
  const waiting = cell.increments(rest);
  if (isMost) await holder.lost();
  await back();
  await holder.write();
  await holder.release();
  await waiting;
  await cell.increments([holder, ...rest]);
}
