/** What the numbers of the live feed say together: who is out, who gets which share. Pure. */
import type { EndpointRow } from '../gateway/admin/live-model.ts';

/** It takes no requests. */
export function isOut({ drain, health }: Pick<EndpointRow, 'drain' | 'health'>): boolean {
  return drain !== null || health === 'down' || health === 'ejected';
}

/** What went wrong between the gateway and it. */
export function errorsOf({ connectFailures, timeouts, resets }: EndpointRow): number {
  return connectFailures + timeouts + resets;
}

export interface Sharing extends Pick<EndpointRow, 'service' | 'weight' | 'drain' | 'health'> {
  /** Null if it is not known. */
  readonly perSecond: number | null;
}

export interface Share {
  /** Of the requests of its service; null if there are none. */
  readonly share: number | null;
  /** Its part of the weights of those of its service that serve; null for one that is out. */
  readonly fair: number | null;
}

/** In the order given. */
export function sharesOf(rows: readonly Sharing[]): Share[] {
  const services = Map.groupBy(rows, ({ service }) => service);
  const sums = new Map(
    [...services].map(([name, members]) => [
      name,
      {
        requests: members.reduce((sum, { perSecond }) => sum + (perSecond ?? 0), 0),
        weights: members.reduce((sum, row) => sum + (isOut(row) ? 0 : row.weight), 0),
      },
    ]),
  );
  return rows.map((row) => {
    const { requests, weights } = sums.get(row.service)!;
    return {
      share: row.perSecond === null || requests === 0 ? null : row.perSecond / requests,
      fair: isOut(row) || weights === 0 ? null : row.weight / weights,
    };
  });
}
