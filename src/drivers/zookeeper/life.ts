/**
 * Whether a session still lives, as far as its client can know: a pure machine.
 *
 * The server counts the session's timeout from when it last heard of the client, which is no earlier than when the client *sent* the last
 * request that was answered. So time is counted from there (`heardAt`), on both clocks: the monotonic one cannot be set but may
 * stand still while a machine is suspended, the wall clock goes on but can be set. Time has passed if either says so.
 * At two thirds of the timeout without an answer the session is *suspended*, at the timeout *expired*, whether or not a server could
 * be asked. What is over stays over: an answer that comes too late does not bring it back.
 *
 * A follower tells the leader, which counts, half a tick later of whom it has heard. If it dies in between, the session ends a timeout after what the
 * leader was told of before. So for what must not outlive the session (`countsFrom`) only those requests count that the leader knows of
 * by then; a timeout is two ticks or more, so half a tick is a quarter of it at most. That is `minSessionTimeout` of the servers unless somebody
 * sets it: below two ticks, a lease may outlast its session when a follower dies. The leader's clock may run faster or slower than the one here.
 *
 * Invariants: `heardAt` never goes back; `expired` and `closed` are final. A few of the answered requests are kept, however many there are.
 * Source: `Leader.lead`, `Learner.ping` and `SessionTrackerImpl` of ZooKeeper 3.9.
 */
import { type Clock, CLOCKS_APART_RATIO } from '../../kernel/clock.ts';

/** A moment on both clocks. */
export interface Reading {
  readonly nowMs: number;
  readonly wallMs: number;
}

export function readClocks(clock: Clock): Reading {
  return { nowMs: clock.nowMs(), wallMs: clock.wallMs() };
}

/** `opening`: no server has made one yet. */
export type SessionState = 'opening' | 'alive' | 'suspended' | 'expired' | 'closed';

export interface Life {
  readonly state: SessionState;
  /** The shortest that a server granted; as it was asked for while `opening`. */
  readonly timeoutMs: number;
  /** When the last request that was answered was sent; null while `opening`. */
  readonly heardAt: Reading | null;
  /** Requests that were answered, in their order: the first of them the leader has counted, whatever becomes of the follower. */
  readonly answered: readonly Answered[];
}

interface Answered {
  readonly sentAt: Reading;
  readonly answeredMs: number;
}

export type LifeEvent =
  /** Nothing but time. */
  | { readonly type: 'time' }
  /** A server took the session on, or made it. */
  | { readonly type: 'attached'; readonly sentAt: Reading; readonly timeoutMs: number }
  | { readonly type: 'answered'; readonly sentAt: Reading }
  /** A server says that the session is over. */
  | { readonly type: 'expired' }
  | { readonly type: 'closed' };

/** A session that is given up at the timeout is suspended at this part of it, and its connection left for another server's. */
const SUSPENDED_RATIO = 2 / 3;

/**
 * How much later than half a tick a leader may ask its followers whom they have heard of, of a timeout: 7 % of a tick if that is two ticks, half a tick if it is
 * three and a half. More would count from a heartbeat more before, as heartbeats are a third of a timeout apart and must be answered.
 */
const TARDY_RATIO = 0.0375;
/** How long a follower keeps to itself whom it has heard of, of a timeout: half a tick, by a clock that is slower, and what the leader is late by. */
const UNTOLD_RATIO = (1 / 4) * (1 + CLOCKS_APART_RATIO) + TARDY_RATIO;
/** Of requests that are closer to each other than this, of a timeout, one is kept. */
const APART_RATIO = UNTOLD_RATIO / 4;

export function newLife(timeoutMs: number): Life {
  return { state: 'opening', timeoutMs, heardAt: null, answered: [] };
}

/** Nothing brings it back. */
export function isOver({ state }: Life): boolean {
  return state === 'expired' || state === 'closed';
}

function passedMs(since: Reading, now: Reading): number {
  return Math.max(now.nowMs - since.nowMs, now.wallMs - since.wallMs);
}

/** What time alone has made of it. */
function aged(life: Life, now: Reading): Life {
  if (isOver(life) || life.heardAt === null) return life;
  const silentMs = passedMs(life.heardAt, now);
  const state =
    silentMs >= life.timeoutMs ? 'expired' : silentMs >= life.timeoutMs * SUSPENDED_RATIO ? 'suspended' : 'alive';
  return state === life.state ? life : { ...life, state };
}

export function step(before: Life, event: LifeEvent, now: Reading): Life {
  // Before anything else: what was over when an answer came stays so.
  const life = aged(before, now);
  if (isOver(life)) return life;
  switch (event.type) {
    case 'time':
      return life;
    case 'attached':
      // The leader was asked for the session itself.
      return aged(
        {
          state: 'alive',
          // The next leader counts what the session was made with, whatever a server granted since.
          timeoutMs: life.heardAt === null ? event.timeoutMs : Math.min(life.timeoutMs, event.timeoutMs),
          heardAt: event.sentAt,
          answered: [{ sentAt: event.sentAt, answeredMs: now.nowMs }],
        },
        now,
      );
    case 'answered':
      if (life.heardAt === null || event.sentAt.nowMs <= life.heardAt.nowMs) return life;
      return aged({ ...life, heardAt: event.sentAt, answered: withAnswer(life, event.sentAt, now) }, now);
    case 'expired':
      return { ...life, state: 'expired' };
    case 'closed':
      return { ...life, state: 'closed' };
    default:
      return event satisfies never;
  }
}

function withAnswer({ answered, timeoutMs }: Life, sentAt: Reading, now: Reading): readonly Answered[] {
  // The follower lived when it took this one; so what it had answered so long before, it has told.
  const toldMs = sentAt.nowMs - timeoutMs * UNTOLD_RATIO;
  const untold = answered.findIndex(({ answeredMs }) => answeredMs > toldMs);
  const kept = answered.slice(Math.max(0, (untold < 0 ? answered.length : untold) - 1));
  if (sentAt.nowMs - kept.at(-1)!.sentAt.nowMs < timeoutMs * APART_RATIO) return kept;
  return [...kept, { sentAt, answeredMs: now.nowMs }];
}

/**
 * From when something counts that lasts `lastsMs` and must be over before the session is: from `heardAt`, or sooner if the leader may count from so
 * long before. Whoever counts allows for clocks that run apart in `lastsMs` itself; here it is allowed for in what a timeout is longer. Null
 * while `opening`.
 */
export function countsFrom({ timeoutMs, heardAt, answered: [counted] }: Life, lastsMs: number): Reading | null {
  if (heardAt === null || counted === undefined) return null;
  const earlierMs = Math.max(0, passedMs(counted.sentAt, heardAt) - (timeoutMs - lastsMs) * (1 - CLOCKS_APART_RATIO));
  return { nowMs: heardAt.nowMs - earlierMs, wallMs: heardAt.wallMs - earlierMs };
}

/** In how long time alone changes the state; null if it will not. */
export function changesInMs(life: Life, now: Reading): number | null {
  if (isOver(life) || life.heardAt === null) return null;
  const untilMs = life.state === 'alive' ? life.timeoutMs * SUSPENDED_RATIO : life.timeoutMs;
  return Math.max(0, untilMs - passedMs(life.heardAt, now));
}
