/** What samples are made of, one thing at a time as a reader comes to it: things of a config and the labels that tell them apart. Pure but for reading the cells. */
import { type Cell, cellBornMs } from '../../kernel/cells.ts';
import type { Labels, Sample } from '../../observe/prometheus.ts';
import type { StatusCounts } from '../control/gateway-state.ts';
import type { EndpointOf, OtherEndpoints } from '../control/named-endpoints.ts';
import { readNow } from '../control/read-cell.ts';
import { readStatuses } from '../control/read-state.ts';
import type { Snapshot } from '../snapshot.ts';
import type { MetricNames } from './metric-names.ts';

export type Samples = Iterable<Sample | null>;
export type Series = Readonly<Record<string, Samples>>;

/** One sample for each thing, of one slot in each thing's cell. */
export interface Subject {
  readonly labels: Labels;
  /** As a sample has it. */
  readonly sinceMs: number;
  readonly count: (slot: number) => number;
}

/**
 * Whoever leaves the config and comes again has a new cell, and counts from nothing. Its numbers, those before its buckets, are of the moment at which
 * it is made: all series of a thing agree, though a page is made in many turns.
 */
export function subject(labels: Labels, cell: Cell, slots: number, numbers = slots): Subject {
  return { labels, sinceMs: cellBornMs(cell), count: readNow(cell, slots, numbers) };
}

export function slotSeries(
  subjects: Iterable<Subject>,
  slots: Readonly<Partial<Record<keyof MetricNames, number>>>,
  factor = 1,
): Series {
  const series = Object.entries(slots).map(([name, slot]) => [
    name,
    each(subjects, ({ labels, sinceMs, count }) => [{ labels, sinceMs, value: count(slot) * factor }]),
  ]);
  return Object.fromEntries(series) as Series;
}

export function statusSamples(subjects: Iterable<Subject>, first: number): Samples {
  return each(subjects, ({ labels, sinceMs, count }) => {
    const classes = Object.entries(readStatuses(count, first) satisfies StatusCounts);
    return classes.map(([code_class, value]) => ({
      labels: { ...labels, code_class },
      sinceMs,
      value: value as number,
    }));
  });
}

/** Each is made once, when a reader first comes to it. */
export function lazily<From, To>(items: readonly From[], make: (item: From) => To): Iterable<To> {
  const made: To[] = [];
  return {
    *[Symbol.iterator]() {
      for (const [at, item] of items.entries()) yield (made[at] ??= make(item));
    },
  };
}

/** Null for an item of which nothing is made. */
export function* each<From, To>(items: Iterable<From>, make: (item: From) => Iterable<To>): Generator<To | null> {
  for (const item of items) {
    let isNothing = true;
    for (const made of make(item)) {
      isNothing = false;
      yield made;
    }
    if (isNothing) yield null;
  }
}

/** Of the splits, each with the labels of its series. */
export function armsOf({ routes, services }: Snapshot): { readonly labels: Labels; readonly cell: Cell }[] {
  return routes.flatMap(({ name: route, shaping }) =>
    (shaping?.split?.arms ?? []).map(({ name: arm, service, cell }) => ({
      labels: { route, arm, service: services[service]?.name ?? '' },
      cell,
    })),
  );
}

export function labelsOfNamed({ service, endpoint }: EndpointOf): Labels {
  return { service, endpoint: endpoint.id };
}

/** The label of a metric's overflow, in place of the endpoint's: sums over a service have all of it. */
export function labelsOfOthers({ service }: OtherEndpoints): Labels {
  return { service, overflow: 'true' };
}
