/** The keys that a subject is asked for, over and over. */
import { seededRandom } from '../../src/kernel/random.ts';

export interface KeyOrder {
  readonly count: number;
  /**
   * `in turn`: as their strings lie in memory, so that the string is in the cache, as one is that was just read from a request; where its row is,
   * only its hash says. `shuffled`: what is waited for is the strings as well.
   */
  readonly order: 'in turn' | 'shuffled';
}

export function keysOf({ count, order }: KeyOrder): string[] {
  const keys = Array.from({ length: count }, (_, id) => `user:${id}`);
  if (order === 'in turn') return keys;
  const random = seededRandom(2);
  for (let at = count - 1; at > 0; at--) {
    const other = Math.floor(random.unit() * (at + 1));
    [keys[at], keys[other]] = [keys[other]!, keys[at]!];
  }
  return keys;
}

export function inTurn(keys: readonly string[]): () => string {
  let at = 0;
  return () => keys[(at = at + 1 === keys.length ? 0 : at + 1)]!;
}
