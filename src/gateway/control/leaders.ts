/** Seats, locks and breakers as rows, from the last values that services pushed. Pure: each process tells of itself, and a row is what they say together. O(n). */
import type { ReceivedSeries } from './received-metrics.ts';
import { stillTold } from './still-told.ts';

export interface SeatRow {
  readonly seat: string;
  /** Null: nobody leads. */
  readonly holder: string | null;
  readonly term: number | null;
  readonly sinceMs: number | null;
  /** How many processes tell of it. */
  readonly candidates: number;
}

export interface LockRow {
  readonly lock: string;
  readonly service: string;
  readonly store: string;
  readonly held: number;
  readonly waiting: number;
}

/** One that is held now. */
export interface HeldRow {
  /** '' where names are not shown: of all of its lock it is the one that is held longest. */
  readonly name: string;
  readonly lock: string;
  readonly service: string;
  readonly store: string;
  readonly holder: string;
  readonly sinceMs: number;
}

/** Of one process: each judges by its own calls. */
export interface BreakerRow {
  readonly breaker: string;
  readonly service: string;
  readonly instance: string;
  readonly phase: string;
}

/** Of several that say they lead, the one with the greatest term does: the others have not heard yet. */
export function seatsOf(series: readonly ReceivedSeries[]): SeatRow[] {
  const terms = series.filter(({ name }) => name === 'spillway_seat_term');
  const whose = ({ instance, labels, service }: ReceivedSeries): string =>
    JSON.stringify([service, instance, labels['seat'], labels['holder']]);
  const sinces = new Map(
    series.flatMap((one) => (one.name === 'spillway_seat_since_timestamp_seconds' ? [[whose(one), one] as const] : [])),
  );
  return [...Map.groupBy(terms, ({ labels }) => labels['seat'] ?? '')].map(([seat, told]) => {
    const leading = told
      .filter(({ value }) => (value ?? 0) > 0)
      .toSorted((one, other) => (other.value ?? 0) - (one.value ?? 0));
    const [first] = leading;
    const since = first === undefined ? undefined : sinces.get(whose(first));
    const sinceMs = (since?.value ?? 0) > 0 ? (since?.value ?? 0) * 1000 : null;
    return {
      seat,
      holder: first?.labels['holder'] ?? null,
      term: first?.value ?? null,
      sinceMs,
      candidates: told.length,
    };
  });
}

export function locksOf(series: readonly ReceivedSeries[]): LockRow[] {
  const told = series.filter(({ name }) => name === 'spillway_lock_held' || name === 'spillway_lock_waiting');
  const keyOf = ({ labels, service }: ReceivedSeries): string =>
    JSON.stringify([labels['lock'], service, labels['store']]);
  return [...Map.groupBy(told, keyOf).values()].map((members) => {
    const [{ labels, service } = { labels: {}, service: '' }] = members;
    const sum = (of: string): number =>
      members.reduce((total, { name, value }) => total + (name === of ? (value ?? 0) : 0), 0);
    const { lock = '', store = '' } = labels as Readonly<Record<string, string>>;
    return { lock, service, store, held: sum('spillway_lock_held'), waiting: sum('spillway_lock_waiting') };
  });
}

/** Those that are held longest, the longest first. */
export function heldOf(series: readonly ReceivedSeries[]): HeldRow[] {
  const rows = stillTold(series, 'spillway_lock_held_since_timestamp_seconds')
    .map(({ labels, service, value }) => {
      const { holder = '', lock = '', name = '', store = '' } = labels;
      return { name, lock, service, store, holder, sinceMs: 1000 * (value ?? 0) };
    })
    .toSorted((one, other) => one.sinceMs - other.sinceMs);
  const isFirst = new Set<string>();
  return rows.filter((row) => isFirst.size < isFirst.add(heldKey(row)).size);
}

/** Of one that several hold at once and call themselves the same, as readers may, there is one row. */
export function heldKey({ holder, lock, name, service, store }: HeldRow): string {
  return JSON.stringify([service, store, lock, name, holder]);
}

/** Those that are in a state: of each, one series is 1. */
export function breakersOf(series: readonly ReceivedSeries[]): BreakerRow[] {
  return series.flatMap(({ instance, labels: { breaker, state: phase }, name, service, value }) =>
    // Those of another gateway have no name of their own.
    name === 'spillway_breaker_state' && value === 1 && breaker !== undefined && phase !== undefined
      ? [{ breaker, service, instance, phase }]
      : [],
  );
}
