/**
 * How far one has to look for the k nearest, where a server can only count what is in a cover: an angle whose cover holds enough, and not much
 * more.
 *
 * All angles of a round are counted at once, so it takes one round trip as a rule: from metres to half the Earth in steps of four. Where one step
 * comes from too few to far too many, as when everybody is far away and close together, the step is divided in rounds of its own.
 */
import { angleOf, haversineOf } from './measure.ts';
import type { Position } from './position.ts';

export interface Reach {
  readonly k: number;
  /** Where to begin, and where to end whatever was found; radians. */
  readonly from: number;
  readonly most: number;
  /** How many each angle's cover holds, or any number of at least `enough` if it is more. */
  readonly count: (angles: readonly number[], enough: number) => Promise<readonly number[]>;
}

/** Rather read so many more than ask once more. */
const MORE = 256;
/** Four rounds of a quarter each: a hundredth of a step. */
const ROUNDS = 5;

/** An angle whose cover holds at least k; `most` if none does. */
export async function reach({ k, from, most, count }: Reach): Promise<number> {
  const enough = 4 * k + MORE;
  let low = 0;
  let angles: number[] = [];
  for (let angle = from; angle < most; angle *= 4) angles.push(angle);
  angles.push(most);
  for (let round = 1; ; round++) {
    const counts = await count(angles, enough);
    const at = counts.findIndex((held) => held >= k);
    if (at < 0) return most;
    const high = angles[at]!;
    if (counts[at]! < enough || round === ROUNDS) return high;
    if (at > 0) low = angles[at - 1]!;
    angles = [0.25, 0.5, 0.75, 1].map((share) => low + (high - low) * share);
  }
}

/** The angle at which the k-th nearest of some is; infinite if they are fewer. */
export function angleOfKth(center: Position, k: number, some: readonly Position[]): number {
  if (some.length < k) return Number.POSITIVE_INFINITY;
  const halves = Float64Array.from(some, ({ lat, lon }) => haversineOf(center.lat, center.lon, lat, lon)).sort();
  return angleOf(halves[k - 1]!);
}
