/**
 * Whether a session still lives, as far as its client can know: a pure machine.
 *
 * The server counts the session's timeout from when it last heard of the client, which is no earlier than when the client *sent* the last
 * request that was answered. So time is counted from there (`heardAt`), on both clocks: the monotonic one cannot be set but may
 * stand still while a machine is suspended, the wall clock goes on but can be set. Time has passed if either says so.
 * At two thirds of the timeout without an answer the session is *suspended*, at the timeout *expired*, whether or not a server could
 * be asked. What is over stays over: an answer that comes too late does not bring it back.
 *
 * Invariants: `heardAt` never goes back; `expired` and `closed` are final.
 */
import type { Clock } from '../../kernel/clock.ts';

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
  /** As the server granted it; as it was asked for while `opening`. */
  readonly timeoutMs: number;
  /** When the last request that was answered was sent; null while `opening`. */
  readonly heardAt: Reading | null;
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

export function newLife(timeoutMs: number): Life {
  return { state: 'opening', timeoutMs, heardAt: null };
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
      return aged({ ...life, state: 'alive', timeoutMs: event.timeoutMs, heardAt: event.sentAt }, now);
    case 'answered':
      if (life.heardAt === null || event.sentAt.nowMs <= life.heardAt.nowMs) return life;
      return aged({ ...life, heardAt: event.sentAt }, now);
    case 'expired':
      return { ...life, state: 'expired' };
    case 'closed':
      return { ...life, state: 'closed' };
    default:
      return event satisfies never;
  }
}

/** In how long time alone changes the state; null if it will not. */
export function changesInMs(life: Life, now: Reading): number | null {
  if (isOver(life) || life.heardAt === null) return null;
  const untilMs = life.state === 'alive' ? life.timeoutMs * SUSPENDED_RATIO : life.timeoutMs;
  return Math.max(0, untilMs - passedMs(life.heardAt, now));
}
