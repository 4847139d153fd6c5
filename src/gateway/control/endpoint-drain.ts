/**
 * The drain of one endpoint: no new work, the old is finished, and what takes too long is cut.
 *
 *     serving ── drain ──▶ draining ── nothing is left ────────────────────────▶ drained
 *        ▲                     └────── its time is over ──▶ cutting ── gone ──▶ drained, with what was cut
 *        └──────────────────────────── undrain, from anywhere
 *
 * Clients who are pinned to the endpoint by a cookie may come for the first half of the time, so that what they begin then has the
 * other half to end in; nobody else may. Without pins it is closed from the first moment.
 *
 * Invariants: nothing is cut before the time is over; it is drained only after workers had time to heed that it is closed, and
 * then has neither requests, tunnels nor connections, unless something could not be cut either (`CUT_MS_MAX`).
 * Pure: `drains.ts` counts, writes the words and tells.
 */
import { CLOSED, CUT, DRAINING, SERVING } from '../slots.ts';

/** What is still under way at an endpoint, by all workers. */
export interface Left {
  /** Those that wait for a connection too, tunnels not. */
  readonly requests: number;
  readonly tunnels: number;
  /** Idle ones too. */
  readonly connections: number;
}

/** What was not ended in good order. */
export type Cut = Pick<Left, 'requests' | 'tunnels'>;

export type EndpointDrain =
  | { readonly phase: 'serving' }
  | {
      readonly phase: 'draining';
      readonly sinceMs: number;
      readonly untilMs: number;
      /** From then on not even those who are pinned. */
      readonly closesMs: number;
    }
  | {
      readonly phase: 'cutting';
      readonly sinceMs: number;
      readonly untilMs: number;
      /** Tunnels when the time was over, and what had been cut at the endpoint before. */
      readonly tunnels: number;
      readonly before: Cut;
    }
  | {
      readonly phase: 'drained';
      readonly sinceMs: number;
      readonly untilMs: number;
      readonly endedMs: number;
      /** Null if nothing was. */
      readonly cut: Cut | null;
      /** Tunnels that said goodbye when the time was over. */
      readonly told: number;
    };

export type DrainEvent =
  /** Asked for again it has a new time, as long as the old one is not over. */
  | { readonly kind: 'drain'; readonly withinMs: number; readonly takesPinned: boolean }
  /** `cut`: all that ever was, at this endpoint. */
  | { readonly kind: 'look'; readonly left: Left; readonly cut: Cut }
  | { readonly kind: 'undrain' };

/** Workers look at the words every 100 ms. */
const HEED_MS = 200;
/** A tunnel has 2 s to say goodbye; then it is gone, unless its worker hangs. */
const CUT_MS_MAX = 5000;

export const serving: EndpointDrain = { phase: 'serving' };

export function step(drain: EndpointDrain, event: DrainEvent, nowMs: number): EndpointDrain {
  switch (event.kind) {
    case 'drain':
      return begin(drain, event, nowMs);
    case 'look':
      return look(drain, event, nowMs);
    case 'undrain':
      return serving;
    default:
      return event satisfies never;
  }
}

function begin(
  drain: EndpointDrain,
  { withinMs, takesPinned }: Extract<DrainEvent, { kind: 'drain' }>,
  nowMs: number,
): EndpointDrain {
  const untilMs = nowMs + withinMs;
  const closesMs = takesPinned ? nowMs + withinMs / 2 : nowMs;
  if (drain.phase === 'serving') return { phase: 'draining', sinceMs: nowMs, untilMs, closesMs };
  if (drain.phase !== 'draining') return drain;
  // Who is shut out is not let in again.
  return { ...drain, untilMs, closesMs: drain.closesMs <= nowMs ? drain.closesMs : closesMs };
}

function look(
  drain: EndpointDrain,
  { left, cut }: Extract<DrainEvent, { kind: 'look' }>,
  nowMs: number,
): EndpointDrain {
  const { requests, tunnels, connections } = left;
  const isEmpty = requests + tunnels + connections === 0;
  switch (drain.phase) {
    case 'serving':
    case 'drained':
      return drain;
    case 'draining': {
      const { sinceMs, untilMs, closesMs } = drain;
      if (isEmpty && nowMs >= closesMs + HEED_MS) {
        return { phase: 'drained', sinceMs, untilMs, endedMs: nowMs, cut: null, told: 0 };
      }
      return nowMs < untilMs ? drain : { phase: 'cutting', sinceMs, untilMs, tunnels, before: cut };
    }
    case 'cutting': {
      if (!isEmpty && nowMs < drain.untilMs + CUT_MS_MAX) return drain;
      const { sinceMs, untilMs, before } = drain;
      const all = {
        requests: cut.requests - before.requests + requests,
        tunnels: cut.tunnels - before.tunnels + tunnels,
      };
      const told = Math.max(0, drain.tunnels - all.tunnels);
      return {
        phase: 'drained',
        sinceMs,
        untilMs,
        endedMs: nowMs,
        cut: all.requests + all.tunnels > 0 ? all : null,
        told,
      };
    }
    default:
      return drain satisfies never;
  }
}

/** What the `DRAIN` word of the endpoint says. */
export function wordOf(drain: EndpointDrain, nowMs: number): number {
  switch (drain.phase) {
    case 'serving':
      return SERVING;
    case 'draining':
      return nowMs < drain.closesMs ? DRAINING : CLOSED;
    case 'cutting':
      return CUT;
    case 'drained':
      return drain.endedMs < drain.untilMs ? CLOSED : CUT;
    default:
      return drain satisfies never;
  }
}
