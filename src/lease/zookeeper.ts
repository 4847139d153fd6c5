/**
 * The store in ZooKeeper: a lease is an ephemeral node with a number under what is claimed, and the numbers are the queue. Whoever finds that
 * those before it leave room for it holds; its token is the transaction that made its node.
 *
 * - To take is one request if nobody has it: make the node, and be told in the same transaction that it is alone. Else it is two: then all are looked
 *   at. To give back is one.
 * - Nodes belong to a session, one for each ttl, which all claims of this store share. Its timeout is a sixth longer than what a lease lasts, for a
 *   follower that dies may not have told the leader of the last heartbeats; a lease never outlasts the session, so by what it may have kept to itself
 *   beyond that, the lease is shorter (`countsFrom` in life.ts). A lease lasts its ttl, or less where the servers' ticks leave no time for that
 *   (zookeeper-time.ts).
 * - Whoever waits watches the last node before its own that leaves it no room: a writer the one before it, readers the writer before them; so a
 *   release makes those ask who get it. If there are only too many, as of permits, the first who waits watches all that are there, for a watch does not
 *   say what has changed; each behind it watches the one before, who says that it waits no more by writing its node once (version 1).
 * - A node whose creation was not answered is found again by the id of its claim, and is only taken for its own if its session made it
 *   (apache/curator: CURATOR-498, 620, 696).
 * - What is claimed is a container: ZooKeeper removes it some time after the last node under it is gone.
 *
 * The node of the claim `a/b` of holder 7f… is `/spillway/a%2Fb/7f…-2147483647-2147483647-0000000012`: share and whole are part of its name, so
 * that one look tells all; its data is the holder.
 */
import type { Acl } from '../drivers/zookeeper/messages.ts';
import type { ZookeeperOptions } from '../drivers/zookeeper/options.ts';
import { creatorAcl, openAcl, ZookeeperSession } from '../drivers/zookeeper/session.ts';
import { type Clock, systemClock } from '../kernel/clock.ts';
import { isCoded, SpillwayError } from '../kernel/errors.ts';
import { checkDuration, checkKeys, invalid } from '../kernel/options.ts';
import type { Duration } from '../kernel/units.ts';
import {
  type Answer,
  type Claim,
  type Holding,
  type LeaseStore,
  type LeaseStoreLimits,
  limitsUsual,
  type Renewal,
  RENEWALS_PER_TTL,
  type Unwatch,
  type Waiting,
  WHOLE,
} from './store.ts';
import { storeError } from './store-error.ts';
import { hasRoom, holding } from './table.ts';
import { Unrenewed } from './unrenewed.ts';
import { type Awaited, awaitedOf, isSpent, room, type Row, rowOf } from './zookeeper-rows.ts';
import { lastsMs, sinceFor, ZookeeperTime } from './zookeeper-time.ts';
import { existing, made, Watcher } from './zookeeper-watcher.ts';

export interface ZookeeperLeasesOptions extends Pick<
  ZookeeperOptions,
  'servers' | 'tls' | 'auth' | 'answerBytesMax' | 'clock' | 'random'
> {
  /**
   * The node under which everything is: a path without an end in `/`. With `auth`, it is for whoever has that and nobody else, with all that is
   * under it, unless it is there already. @defaultValue '/spillway'
   */
  readonly root?: string;
  /**
   * What the servers' configuration has as `tickTime`: `'2s'`, or milliseconds, from 50 ms to 1 minute. They end sessions at a tick, so the shortest ttl is
   * 2.625 ticks and 75 ms, and below nine ticks and 600 ms a lease is shorter than its ttl. If it is longer there than said here, what a dead holder had is
   * free later. @defaultValue '2s', as theirs
   */
  readonly tickTime?: Duration | number;
}

/** Each is a connection and a heartbeat; a program has one ttl, or a few. */
const SESSIONS_MAX = 16;

/** What this store made for a claim. */
interface Node {
  readonly session: ZookeeperSession;
  readonly path: string;
  readonly token: bigint;
  /** While it waits. */
  awaited: Awaited;
}

class ZookeeperLeases implements LeaseStore {
  readonly name = 'zookeeper';
  readonly limits: LeaseStoreLimits;
  readonly clock: Clock;
  readonly #options: ZookeeperLeasesOptions;
  readonly #root: string;
  readonly #acl: readonly Acl[];
  readonly #time: ZookeeperTime;
  readonly #sessions = new Map<number, ZookeeperSession>();
  /** By the id of a claim. */
  readonly #nodes = new Map<string, Node>();
  /** Ids whose node was asked for and not answered. */
  readonly #unsure = new Set<string>();
  readonly #watchers = new Map<string, Watcher>();
  readonly #unrenewed: Unrenewed;
  #closed = false;

  constructor(options: ZookeeperLeasesOptions, root: string, tickMs: number) {
    this.clock = options.clock ?? systemClock;
    this.#options = options;
    this.#root = root;
    this.#time = new ZookeeperTime(tickMs);
    this.limits = { ...limitsUsual, ...this.#time.limits, keyBytesMax: 256 };
    this.#acl = options.auth === undefined ? openAcl : creatorAcl;
    this.#unrenewed = new Unrenewed(this.clock, (claim, waiting) => this.release(claim, waiting));
  }

  async try(claim: Claim, { signal }: Waiting): Promise<Answer> {
    const session = this.#sessionFor(claim.ttlMs);
    await this.#unrenewed.add(claim, signal);
    try {
      const known = this.#nodes.get(claim.id);
      // A node of a session that is over is gone, or soon.
      const standing =
        known?.session === session
          ? { node: known, rows: await this.#rows(claim.key, session, signal) }
          : ((await this.#find(claim, session, signal)) ?? (await this.#stand(claim, session, signal)));
      const { node, rows } = standing;
      this.#nodes.set(claim.id, node);
      await this.#refresh(claim, session, signal);
      return await this.#answerOf(claim, node, rows, signal);
    } catch (error) {
      throw storeError(error);
    }
  }

  async renew(claim: Claim, { signal }: Waiting): Promise<Renewal> {
    const node = this.#nodes.get(claim.id);
    if (node === undefined) return { held: false };
    await this.#unrenewed.add(claim, signal);
    const { session, path } = node;
    try {
      // The ping first: then the server that is asked has caught up with the leader.
      const [, stat] = await Promise.all([session.ping({ signal }), session.exists(path, { signal })]);
      const since = sinceFor(session, claim.ttlMs);
      if (stat !== null && since !== null) {
        this.#unrenewed.granted(claim);
        return { held: true, since };
      }
    } catch (error) {
      if (!isCoded(error, 'ZOOKEEPER_SESSION_ENDED')) throw storeError(error);
    }
    this.#forget(claim.id);
    return { held: false };
  }

  async release(claim: Claim, { signal }: Waiting): Promise<void> {
    try {
      const session = this.#sessionFor(claim.ttlMs);
      const node = this.#nodes.get(claim.id) ?? (await this.#find(claim, session, signal))?.node;
      if (node !== undefined) await deleted(node.session, node.path, signal);
    } catch (error) {
      // With its session everything is gone that it made.
      if (!isCoded(error, 'ZOOKEEPER_SESSION_ENDED', 'LEASES_CLOSED')) throw storeError(error);
    }
    this.#forget(claim.id);
  }

  watch(key: string, claim: Claim | null, wake: () => void): Unwatch {
    const watcher = new Watcher(wake);
    if (claim === null) {
      this.#observe(key, watcher);
      return () => watcher.stop();
    }
    this.#watchers.set(claim.id, watcher);
    this.#listen(claim, watcher);
    return () => {
      watcher.stop();
      if (this.#watchers.get(claim.id) === watcher) this.#watchers.delete(claim.id);
    };
  }

  async read(key: string, { signal }: Waiting): Promise<readonly Holding[]> {
    try {
      const session = this.#sessionForReading();
      const held: Holding[] = [];
      await session.ping({ signal });
      for (const { name, share } of holding(await this.#rows(key, session, signal))) {
        const node = await existing(session.get(`${this.#folder(key)}/${name}`, { signal }));
        if (node === null) continue;
        held.push({ holder: Buffer.from(node.data).toString(), token: node.stat.czxid, share });
      }
      return held;
    } catch (error) {
      throw storeError(error);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    this.#unrenewed.clear();
    await Promise.all([...this.#sessions.values()].map((session) => session.close()));
  }

  #folder(key: string): string {
    // No part of a path may be “.” or “..”.
    return `${this.#root}/${encodeURIComponent(key).replaceAll('.', '%2E')}`;
  }

  #sessionFor(ttlMs: number): ZookeeperSession {
    if (this.#closed) throw new SpillwayError('LEASES_CLOSED', 'The leases in ZooKeeper are closed.');
    const open = this.#sessions.get(ttlMs);
    if (open !== undefined && open.state !== 'expired') return open;
    if (open === undefined && this.#sessions.size >= SESSIONS_MAX) {
      throw invalid(
        `There are leases of ${SESSIONS_MAX} different ttls already, and ZooKeeper has a session for each; use fewer.`,
      );
    }
    const { servers, tls, auth, answerBytesMax, random } = this.#options;
    const session = new ZookeeperSession({
      servers,
      sessionTimeoutMs: this.#time.timeoutMsFor(ttlMs),
      clock: this.clock,
      ...(tls && { tls }),
      ...(auth && { auth }),
      ...(answerBytesMax && { answerBytesMax }),
      ...(random && { random }),
    });
    this.#sessions.set(ttlMs, session);
    return session;
  }

  /** Any that lives. */
  #sessionForReading(): ZookeeperSession {
    for (const [ttlMs, { state }] of this.#sessions) if (state !== 'expired') return this.#sessionFor(ttlMs);
    return this.#sessionFor(Math.max(READER_TTL_MS, this.limits.ttlMsMin));
  }

  #forget(id: string): void {
    this.#unrenewed.delete(id);
    this.#nodes.delete(id);
    this.#unsure.delete(id);
  }

  /** The node that an earlier question made, if its answer was lost. One that another session made is on its way out, and in the way. */
  async #find(claim: Claim, session: ZookeeperSession, signal: AbortSignal): Promise<Standing | null> {
    if (!this.#unsure.has(claim.id) && !this.#nodes.has(claim.id)) return null;
    // A session's requests are done in their order: the look is after whatever was asked before.
    const [, rows] = await Promise.all([session.ping({ signal }), this.#rows(claim.key, session, signal)]);
    let mine: Node | null = null;
    for (const { id, name } of rows) {
      if (id !== claim.id) continue;
      const path = `${this.#folder(claim.key)}/${name}`;
      const stat = await session.exists(path, { signal });
      if (stat === null) continue;
      if (mine === null && stat.ephemeralOwner === session.id)
        mine = { session, path, token: stat.czxid, awaited: room };
      else await deleted(session, path, signal);
    }
    // Known from now on, whatever becomes of this question.
    if (mine === null) this.#nodes.delete(claim.id);
    else this.#nodes.set(claim.id, mine);
    this.#unsure.delete(claim.id);
    return mine === null ? null : { node: mine, rows };
  }

  /**
   * Makes the node, and asks in the same transaction how many there are: one that is alone has nothing before it. Only else are they looked at. What is
   * written is the nothing that was there before, for its answer: the number of nodes, and the transaction, which made the node too.
   */
  async #stand(claim: Claim, session: ZookeeperSession, signal: AbortSignal): Promise<Standing> {
    const { key, id, holder, share, of } = claim;
    const folder = this.#folder(key);
    const path = `${folder}/${id}-${share}-${of}-`;
    const create = { op: 'create', path, data: Buffer.from(holder), ephemeral: true, sequential: true } as const;
    this.#unsure.add(id);
    for (;;) {
      const steps = [{ ...create, acl: this.#acl }, { op: 'set', path: folder, data: nothing } as const] as const;
      const done = await existing(session.multi(steps, { signal }));
      if (done === null) {
        await this.#makeFolder(folder, session, signal);
        continue;
      }
      const [made, { stat }] = done;
      this.#unsure.delete(id);
      const node: Node = { session, path: made.path, token: stat.mzxid, awaited: room };
      if (stat.children === 1) return { node, rows: [rowOf(made.path.slice(folder.length + 1))] };
      // Known from now on, whatever becomes of the look.
      this.#nodes.set(id, node);
      return { node, rows: await this.#rows(key, session, signal) };
    }
  }

  /** What is claimed; or, if it has no root yet, that. */
  async #makeFolder(folder: string, session: ZookeeperSession, signal: AbortSignal): Promise<void> {
    const acl = this.#acl;
    const asked = made(session.create(folder, nothing, { container: true, acl, signal }));
    if ((await existing(asked)) !== null) return;
    const parts = this.#root.split('/');
    for (let depth = 2; depth < parts.length; depth++) {
      await made(session.create(parts.slice(0, depth).join('/'), nothing, { signal }));
    }
    await made(session.create(this.#root, nothing, { acl, signal }));
  }

  async #rows(key: string, session: ZookeeperSession, signal: AbortSignal): Promise<readonly Row[]> {
    const found = await existing(session.children(this.#folder(key), { signal }));
    return (found?.children ?? []).map(rowOf).sort((a, b) => a.number - b.number);
  }

  /** The session’s time begins anew when a third of what a lease lasts has passed. */
  async #refresh({ ttlMs }: Claim, session: ZookeeperSession, signal: AbortSignal): Promise<void> {
    const heardMs = session.heardAt?.nowMs ?? -Infinity;
    if (this.clock.nowMs() - heardMs > lastsMs(session, ttlMs) / RENEWALS_PER_TTL) await session.ping({ signal });
    this.#time.check(session, ttlMs);
  }

  async #answerOf(claim: Claim, node: Node, rows: readonly Row[], signal: AbortSignal): Promise<Answer> {
    const { key, id, share, of, ttlMs, queue } = claim;
    const place = rows.findIndex(({ name }) => node.path.endsWith(`/${name}`));
    const since = sinceFor(node.session, ttlMs);
    if (place < 0 || since === null) {
      // Its session is over, or somebody took it away.
      this.#forget(id);
      this.#unsure.add(id);
      return { granted: false, againMs: SOON_MS };
    }
    if (isSpent(rows[place]!)) {
      await deleted(node.session, node.path, signal);
      this.#forget(id);
      const message = `ZooKeeper has no more numbers for claims of “${key}”, and begins anew when nobody has had or wanted it for a minute or two.`;
      throw new SpillwayError('STORE_UNAVAILABLE', message, { retryable: true });
    }
    const before = rows.slice(0, place);
    if (hasRoom(before, share, of)) {
      this.#passOn(claim, node, rows[place + 1]);
      this.#unrenewed.granted(claim);
      return { granted: true, token: node.token, since };
    }
    node.awaited = awaitedOf(before, share, of);
    const watcher = this.#watchers.get(id);
    if (watcher !== undefined) this.#listen(claim, watcher);
    if (queue) return { granted: false, againMs: lastsMs(node.session, ttlMs) / RENEWALS_PER_TTL };
    await deleted(node.session, node.path, signal);
    this.#forget(id);
    return { granted: false, againMs: Number.POSITIVE_INFINITY };
  }

  #listen(claim: Claim, watcher: Watcher): void {
    const node = this.#nodes.get(claim.id);
    if (node === undefined) return watcher.wakeSoon();
    const folder = this.#folder(claim.key);
    const { awaited, session } = node;
    if (awaited.kind === 'room') watcher.on(session, folder, 'room');
    else watcher.on(session, `${folder}/${awaited.name}`, awaited.kind);
  }

  /** To who waits behind it for what it has not taken all of: now that is the first. If it is not told, it asks by itself before its place is forgotten. */
  #passOn({ holder, share, of }: Claim, { session, path }: Node, next: Row | undefined): void {
    if (of === WHOLE || next?.of !== of || share + next.share > of) return;
    const tell = (): Promise<unknown> => session.set(path, Buffer.from(holder));
    // Once more, by the next connection, if the one that it was sent by was lost.
    tell()
      .catch((error: unknown) => (isCoded(error, 'STORE_UNSURE') ? tell() : null))
      .catch(() => {});
  }

  #observe(key: string, watcher: Watcher): void {
    const again = (): void => {
      try {
        watcher.on(this.#sessionForReading(), this.#folder(key), 'room', again);
      } catch {
        // Closed; who observes looks now and then anyway.
      }
    };
    again();
  }
}

/** Sessions of stores that only read. */
const READER_TTL_MS = 10_000;
/** A node that was taken away is made anew. */
const SOON_MS = 10;

interface Standing {
  readonly node: Node;
  readonly rows: readonly Row[];
}

const nothing = Buffer.alloc(0);

async function deleted(session: ZookeeperSession, path: string, signal: AbortSignal): Promise<void> {
  await existing(session.delete(path, { signal }));
}

const optionKeys = ['servers', 'tls', 'auth', 'answerBytesMax', 'clock', 'random', 'root', 'tickTime'];
const ROOT = /^(\/[\w.:-]{1,64}){1,8}$/;

/** Leases in ZooKeeper, 3.6 or later, with sessions of its own. */
export function zookeeperLeases(options: ZookeeperLeasesOptions): LeaseStore {
  checkKeys('zookeeperLeases', options, optionKeys);
  const { root = '/spillway', tickTime = '2s' } = options;
  if (!ROOT.test(root))
    throw invalid(`zookeeperLeases: root is “${root}”; expected a path such as /spillway, with no end in “/”.`);
  return new ZookeeperLeases(options, root, checkDuration('zookeeperLeases: tickTime', tickTime, 50, 60_000));
}
