/**
 * The store in etcd: a lease is a key of its own under what is claimed, and the order in which keys came to be is the queue. Whoever finds that
 * those before it leave room for it holds; its token is the revision at which its key was made.
 *
 * - One round trip a verb. Keys are under a lease of etcd, one for each number of seconds, which all claims of this store share: the session
 *   (etcd-session.ts). It is made at the first claim, and kept alive by whoever renews.
 * - Whoever waits watches the last key before its own that leaves it no room: a writer the one before it, readers the writer before them. If there
 *   are only too many, as of permits, it watches all, counts those before it that go, and asks when there is room. So a release makes one ask.
 * - Time is that of etcd's leader, on its monotonic clock; a change of leader gives every lease its whole time again.
 *
 * The key of the claim `a/b` of holder 7f… is `spillway/a%2Fb/7f…`; its value is JSON. Source: the recipe of etcd's concurrency package, with the
 * check that it leaves out (etcd-io/etcd#11456): a key is looked at in the same step as those before it.
 */
import type { TxnAnswer } from '../drivers/etcd/answers.ts';
import type { EtcdClient } from '../drivers/etcd/client.ts';
import {
  type Bytes,
  type Compare,
  type KeyValue,
  type Operation,
  prefixEnd,
  type RangeRequest,
} from '../drivers/etcd/messages.ts';
import { type Clock, systemClock } from '../kernel/clock.ts';
import { isCoded } from '../kernel/errors.ts';
import { checkKeys, invalid } from '../kernel/options.ts';
import { ETCD_TTL_MS_MIN, type EtcdSession, EtcdSessions } from './etcd-session.ts';
import {
  type Answer,
  type Claim,
  type Holding,
  type LeaseStore,
  limitsUsual,
  type Renewal,
  RENEWALS_PER_TTL,
  type Unwatch,
  type Waiting,
  WHOLE,
} from './store.ts';
import { storeError } from './store-error.ts';
import { blockerOf, hasRoom, holding } from './table.ts';
import { Unrenewed } from './unrenewed.ts';

export interface EtcdLeasesOptions {
  /** What every key begins with: 1 to 64 of `a-z A-Z 0-9 _ . : - /`. @defaultValue 'spillway' */
  readonly prefix?: string;
  /** For deadlines here; leases go by etcd's own. @defaultValue the machine's */
  readonly clock?: Clock;
}

const PREFIX = /^[\w.:/-]{1,64}$/;
/** Those who ask without a queue look first and then claim what has not changed; more changes than this in between, and it is busy. */
const LOOKS_MAX = 8;

/** A key under what is claimed. */
interface Row extends Holding {
  readonly key: string;
  readonly of: number;
}

interface Rows {
  readonly rows: readonly Row[];
  readonly revision: bigint;
}

/** Where one that waits stands, as of `revision`. */
interface Place {
  /** The key that must go before anything else matters. */
  readonly blocker: string | null;
  /** By key, what is before it and not seen to be gone. */
  readonly before: Map<string, Row>;
  readonly revision: bigint;
}

class EtcdLeases implements LeaseStore {
  readonly name = 'etcd';
  readonly limits = { ...limitsUsual, ttlMsMin: ETCD_TTL_MS_MIN };
  readonly clock: Clock;
  readonly #client: EtcdClient;
  readonly #prefix: string;
  readonly #sessions: EtcdSessions;
  /** By the id of a claim: the session that its key is under, and, if it waits, where. */
  readonly #kept = new Map<string, EtcdSession>();
  readonly #places = new Map<string, Place>();
  readonly #watchers = new Map<string, Watcher>();
  readonly #unrenewed: Unrenewed;

  constructor(client: EtcdClient, prefix: string, clock: Clock) {
    this.clock = clock;
    this.#client = client;
    this.#prefix = prefix;
    this.#sessions = new EtcdSessions(client, clock);
    this.#unrenewed = new Unrenewed(clock, (claim, waiting) => this.release(claim, waiting));
  }

  async try(claim: Claim, { signal }: Waiting): Promise<Answer> {
    for (;;) {
      await this.#unrenewed.add(claim, signal);
      const session = await this.#sessionOf(claim, signal);
      session.check(claim.ttlMs);
      try {
        const asked = claim.queue ? this.#stand(claim, session, signal) : this.#take(claim, session, signal);
        const [{ rows, revision }, isAlive] = await Promise.all([asked, session.refresh(signal)]);
        if (isAlive) return this.#answerOf(claim, session, { rows, revision });
        this.#forget(claim.id);
      } catch (error) {
        if (isCoded(error, 'ETCD_LEASE_GONE')) {
          session.retired = true;
          this.#forget(claim.id);
        } else {
          // The key may be there, or may yet come to be: under a session that others keep alive it would stay.
          if (!isCoded(error, 'STORE_UNAVAILABLE', 'STORE_REFUSED')) session.retire();
          throw storeError(error);
        }
      }
    }
  }

  async renew(claim: Claim, { signal }: Waiting): Promise<Renewal> {
    if (!this.#kept.has(claim.id)) return { held: false };
    await this.#unrenewed.add(claim, signal);
    const session = await this.#sessionOf(claim, signal);
    const timeoutMs = Math.min(this.#client.timeoutMs, Math.ceil(claim.ttlMs));
    const [isAlive, { kvs }] = await Promise.all([
      session.keepAlive(signal),
      this.#client.range({ key: this.#keyOf(claim), keysOnly: true }, { signal, timeoutMs }),
    ]).catch((error: unknown) => {
      throw storeError(error);
    });
    if (isAlive && kvs.length > 0) {
      this.#unrenewed.granted(claim);
      return { held: true, since: session.sinceFor(claim.ttlMs) };
    }
    this.#forget(claim.id);
    return { held: false };
  }

  async release(claim: Claim, { signal }: Waiting): Promise<void> {
    await this.#client.delete({ key: this.#keyOf(claim) }, { signal }).catch((error: unknown) => {
      throw storeError(error);
    });
    this.#forget(claim.id);
  }

  watch(key: string, claim: Claim | null, wake: () => void): Unwatch {
    const watcher: Watcher = { key, claim, wake, to: null, gone: new Map(), stop: new AbortController() };
    if (claim !== null) this.#watchers.set(claim.id, watcher);
    this.#listen(watcher);
    return () => {
      watcher.stop.abort();
      if (claim !== null && this.#watchers.get(claim.id) === watcher) this.#watchers.delete(claim.id);
    };
  }

  async read(key: string, { signal }: Waiting): Promise<readonly Holding[]> {
    const { kvs } = await this.#client.range(this.#folder(key), { signal }).catch((error: unknown) => {
      throw storeError(error);
    });
    return holding(kvs.map(rowOf)).map(({ holder, token, share }) => ({ holder, token, share }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#unrenewed.clear();
    await this.#sessions[Symbol.asyncDispose]();
  }

  /** All keys under what is claimed, those first that came first. */
  #folder(key: string): RangeRequest & { readonly rangeEnd: Uint8Array } {
    const folder = `${this.#prefix}/${encodeURIComponent(key)}/`;
    return { key: folder, rangeEnd: prefixEnd(folder), sort: { by: 'createRevision' } };
  }

  #keyOf({ key, id }: Claim): string {
    return `${this.#prefix}/${encodeURIComponent(key)}/${id}`;
  }

  /** The session that the claim is under. One that is retired it leaves, or that would last for as long as the claim, with what it may have got. */
  async #sessionOf(claim: Claim, signal: AbortSignal): Promise<EtcdSession> {
    const { id, ttlMs } = claim;
    const kept = this.#kept.get(id);
    if (kept?.retired === false) return kept;
    try {
      const session = await this.#sessions.open(ttlMs, signal);
      if (kept !== undefined) await this.#move(claim, session, signal);
      kept?.remove(id);
      this.#kept.set(id, session);
      session.add(id);
      return session;
    } catch (error) {
      throw storeError(error);
    }
  }

  /** Its key, if it is there, comes under another session: with the same token, and at the same place. */
  async #move(claim: Claim, session: EtcdSession, signal: AbortSignal): Promise<void> {
    const isThere: Compare = { key: this.#keyOf(claim), target: 'createRevision', is: '!=', than: 0n };
    try {
      await this.#client.txn({ if: [isThere], then: [this.#put(claim, session)] }, { signal });
    } catch (error) {
      if (isCoded(error, 'ETCD_LEASE_GONE')) session.retired = true;
      throw error;
    }
  }

  #forget(id: string): void {
    this.#unrenewed.delete(id);
    this.#kept.get(id)?.remove(id);
    this.#kept.delete(id);
    this.#places.delete(id);
  }

  #put(claim: Claim, session: EtcdSession): Operation {
    const { holder, share, of } = claim;
    return { put: { key: this.#keyOf(claim), value: JSON.stringify({ holder, share, of }), lease: session.id } };
  }

  /** Makes the key, if it is not there, and looks at all. */
  async #stand(claim: Claim, session: EtcdSession, signal: AbortSignal): Promise<Rows> {
    const range = { range: this.#folder(claim.key) };
    const isNew: Compare = { key: this.#keyOf(claim), target: 'createRevision', is: '=', than: 0n };
    const request = { if: [isNew], then: [this.#put(claim, session), range], else: [range] };
    return rowsOf(await this.#client.txn(request, { signal }));
  }

  /** Makes the key only if that grants the claim: first as if nobody were there, then if nothing has changed since it was looked at. */
  async #take(claim: Claim, session: EtcdSession, signal: AbortSignal): Promise<Rows> {
    const { share, of } = claim;
    const folder = this.#folder(claim.key);
    const then = [this.#put(claim, session), { range: folder }];
    let unchanged: Compare = { ...keysOf(folder), target: 'createRevision', is: '=', than: 0n };
    for (let look = 0; ; look++) {
      const answer = await this.#client.txn({ if: [unchanged], then, else: [{ range: folder }] }, { signal });
      const found = rowsOf(answer);
      if (answer.succeeded || look === LOOKS_MAX) return found;
      const isMine = found.rows.some(({ key }) => key === this.#keyOf(claim));
      if (isMine || !hasRoom(found.rows, share, of)) return found;
      unchanged = { ...keysOf(folder), target: 'modRevision', is: '<', than: found.revision + 1n };
    }
  }

  #answerOf(claim: Claim, session: EtcdSession, { rows, revision }: Rows): Answer {
    const { id, share, of, ttlMs, queue } = claim;
    const place = rows.findIndex(({ key }) => key === this.#keyOf(claim));
    const mine = rows[place];
    if (mine !== undefined && hasRoom(rows.slice(0, place), share, of)) {
      this.#places.delete(id);
      this.#unrenewed.granted(claim);
      return { granted: true, token: mine.token, since: session.sinceFor(ttlMs) };
    }
    if (place < 1 || !queue) this.#forget(id);
    else {
      const before = rows.slice(0, place);
      const blocker = blockerOf(before, share, of)?.key ?? null;
      const stands: Place = { blocker, before: new Map(before.map((row) => [row.key, row])), revision };
      this.#places.set(id, stands);
      const watcher = this.#watchers.get(id);
      if (watcher !== undefined) {
        this.#listen(watcher);
        if (isOvertaken(watcher, stands) && hasRoom([...stands.before.values()], share, of)) watcher.wake();
      }
    }
    return { granted: false, againMs: queue ? session.lastsMs(ttlMs) / RENEWALS_PER_TTL : Number.POSITIVE_INFINITY };
  }

  #listen(watcher: Watcher): void {
    const { key, claim } = watcher;
    const place = claim === null ? undefined : this.#places.get(claim.id);
    const to = place?.blocker ?? this.#folder(key).key;
    if (watcher.to === to) return;
    watcher.to = to;
    watcher.stop.abort();
    watcher.stop = new AbortController();
    void this.#follow(watcher, place, watcher.stop.signal);
  }

  /** Whether there may be room for the claim now that a key is gone. */
  #makesRoom(deleted: { readonly key: Uint8Array; readonly revision: bigint }, { id, share, of }: Claim): boolean {
    const place = this.#places.get(id);
    if (place === undefined || place.blocker !== null) return true;
    const key = Buffer.from(deleted.key).toString();
    this.#watchers.get(id)?.gone.set(key, deleted.revision);
    return place.before.delete(key) && hasRoom([...place.before.values()], share, of);
  }

  async #follow({ key, claim, wake }: Watcher, place: Place | undefined, signal: AbortSignal): Promise<void> {
    const blocker = place?.blocker ?? null;
    const range = blocker === null ? keysOf(this.#folder(key)) : { key: blocker };
    try {
      for (let from = place?.revision; ; from = undefined) {
        let revision = from;
        if (revision === undefined) {
          // Something may have been missed before the watch begins, at first and after a gap, which ends it.
          ({ revision } = await this.#client.range({ ...range, countOnly: true }, { signal }));
          wake();
        }
        for await (const event of this.#client.watch({ ...range, startRevision: revision + 1n }, { signal })) {
          if (event.kind !== 'delete' && event.kind !== 'put') continue;
          if (claim === null || (event.kind === 'delete' && this.#makesRoom(event, claim))) wake();
        }
      }
    } catch {
      // Whoever waits asks again before its place is forgotten.
    }
  }
}

interface Watcher {
  readonly key: string;
  readonly claim: Claim | null;
  readonly wake: () => void;
  /** What is listened to. */
  to: Bytes | null;
  /** What was seen to go, and when: an answer may be from before, and come later. */
  readonly gone: Map<string, bigint>;
  stop: AbortController;
}

/** Takes out of a place what is known to have gone after it was looked at; whether there was anything. */
function isOvertaken({ gone }: Watcher, { before, revision }: Place): boolean {
  let overtaken = false;
  for (const [key, goneAt] of gone) {
    if (goneAt <= revision) gone.delete(key);
    else if (before.delete(key)) overtaken = true;
  }
  return overtaken;
}

function keysOf({ key, rangeEnd }: RangeRequest & { readonly rangeEnd: Uint8Array }): {
  readonly key: Bytes;
  readonly rangeEnd: Uint8Array;
} {
  return { key, rangeEnd };
}

function rowsOf({ revision, answers }: TxnAnswer): Rows {
  const range = answers.find((answer) => answer.kind === 'range');
  return { rows: range?.kvs.map(rowOf) ?? [], revision };
}

/** What others wrote there is in the way: it is taken for a holder of all. */
function rowOf({ key, value, createRevision }: KeyValue): Row {
  const text = Buffer.from(value).toString();
  const { holder, share, of } = fieldsOf(text);
  const isOurs = typeof holder === 'string' && typeof share === 'number' && typeof of === 'number';
  const row = isOurs ? { holder, share, of } : { holder: text.slice(0, FOREIGN_MAX), share: WHOLE, of: WHOLE };
  return { key: Buffer.from(key).toString(), token: createRevision, ...row };
}

/** As much of what others wrote as tells whose it is. */
const FOREIGN_MAX = 256;

function fieldsOf(text: string): Readonly<Record<string, unknown>> {
  try {
    return Object(JSON.parse(text)) as Readonly<Record<string, unknown>>;
  } catch {
    return {};
  }
}

/**
 * Leases in etcd, 3.4 or later, by an `EtcdClient`, which the program that made it also closes.
 */
export function etcdLeases(client: EtcdClient, options: EtcdLeasesOptions = {}): LeaseStore {
  checkKeys('etcdLeases', options, ['prefix', 'clock']);
  const { prefix = 'spillway', clock = systemClock } = options;
  if (!PREFIX.test(prefix)) {
    throw invalid(`etcdLeases: prefix is “${prefix}”; expected 1 to 64 of the characters a-z A-Z 0-9 _ . : - /`);
  }
  return new EtcdLeases(client, prefix, clock);
}
