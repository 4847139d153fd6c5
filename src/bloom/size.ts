/**
 * How large a filter must be: the fewest blocks, and the number of probes with them, at which the predicted rate with all the
 * keys it is made for is not above the one asked for.
 */
import { checkInteger, invalid, textOfGiven } from '../kernel/options.ts';
import { parsePercentage, type Percentage } from '../kernel/units.ts';
import { BODY_BYTES_MAX } from './image.ts';
import type { Layout } from './layout.ts';

export interface SizeOptions {
  /** How many different keys it will hold: an integer from 1. More are taken too, at a higher rate. */
  readonly capacity: number;
  /**
   * How often it may say yes to a key that was not added, when it holds `capacity` keys: from 0.000001 to 0.5, or `'1%'`.
   * @defaultValue 0.01
   */
  readonly falsePositiveRate?: number | Percentage;
}

/** Below, the 32 bits of a hash that choose among a block's bits repeat themselves too often. */
export const RATE_MIN = 1e-6;
const RATE_MAX = 0.5;
/** More keys than any filter of 8 GiB holds. */
const CAPACITY_MAX = 2 ** 36;

/** The capacity and the rate asked for, checked. */
export function checkedSize({ capacity, falsePositiveRate = 0.01 }: SizeOptions): { capacity: number; rate: number } {
  checkInteger('capacity', capacity, 1, CAPACITY_MAX);
  let rate = falsePositiveRate;
  if (typeof rate === 'string') {
    const parsed = parsePercentage(rate);
    rate = parsed.ok ? parsed.value : Number.NaN;
  }
  if (typeof rate === 'number' && rate >= RATE_MIN && rate <= RATE_MAX) return { capacity, rate };
  throw invalid(
    `falsePositiveRate is ${textOfGiven(falsePositiveRate)}; expected from ${RATE_MIN} to ${RATE_MAX}, or a percentage such as '1%'.`,
  );
}

/** Blocks and probes for so many keys at such a rate; null if they are more than one filter can have. */
export function fewestBlocks(
  layout: Layout,
  capacity: number,
  rate: number,
): { blocks: number; probes: number } | null {
  const blocksMax = BODY_BYTES_MAX / layout.blockBytes;
  let best = { blocks: blocksMax + 1, probes: 0 };
  for (const probes of layout.probes) {
    // The fewest that suffice, searched below the best so far; if even that does not suffice, these probes are worse.
    let enough = best.blocks;
    for (let least = 1; least < enough;) {
      const middle = Math.floor((least + enough) / 2);
      if (layout.rate(capacity, middle, probes) <= rate) enough = middle;
      else least = middle + 1;
    }
    if (enough < best.blocks) best = { blocks: enough, probes };
  }
  return best.blocks <= blocksMax ? best : null;
}

/** The same, or a refusal. */
export function sizeOf(layout: Layout, capacity: number, rate: number): { blocks: number; probes: number } {
  const size = fewestBlocks(layout, capacity, rate);
  if (size !== null) return size;
  throw invalid(
    `${capacity} keys at a false-positive rate of ${rate} take more than the ${BODY_BYTES_MAX} bytes that one filter can have: use several, each for its part of the keys.`,
  );
}
