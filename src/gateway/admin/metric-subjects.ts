/** What samples are made of, one thing at a time as a reader comes to it: things of a config and the labels that tell them apart. Pure. */
import type { Cell } from '../../kernel/cells.ts';
import type { Labels } from '../../observe/prometheus.ts';
import type { EndpointPlan, Snapshot } from '../snapshot.ts';

/** Each is made once, when a reader first comes to it. */
export function lazily<From, To>(items: readonly From[], make: (item: From) => To): Iterable<To> {
  const made: To[] = [];
  return {
    *[Symbol.iterator]() {
      for (const [at, item] of items.entries()) yield (made[at] ??= make(item));
    },
  };
}

export function* each<From, To>(items: Iterable<From>, make: (item: From) => Iterable<To>): Generator<To> {
  for (const item of items) yield* make(item);
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

/** Each with the name of its service. */
export function endpointsOf({ services }: Snapshot): { readonly service: string; readonly endpoint: EndpointPlan }[] {
  return services.flatMap(({ name: service, endpoints }) => endpoints.map((endpoint) => ({ service, endpoint })));
}
