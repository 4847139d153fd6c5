/**
 * What is under a key in ZooKeeper, as the names of its nodes say, and for which of them who waits there must watch.
 *
 * A name is the id of a claim, its share, the whole, and the number that ZooKeeper gave it. Pure. O(nodes) a look.
 */
import { WHOLE } from './store.ts';
import { blockerOf, holding } from './table.ts';

const NODE = /^([0-9a-f]{32})-(\d{1,10})-(\d{1,10})-(-?\d{10})$/;

/** A node under what is claimed, as its name says. */
export interface Row {
  readonly name: string;
  readonly id: string;
  readonly share: number;
  readonly of: number;
  /** Its place: as the numbers go, which begin anew when the container was removed. */
  readonly number: number;
}

/**
 * After 2^31 claims under one container ZooKeeper's numbers turn negative or come twice, and who came first cannot be told. So none is served with one of
 * the last: there is room among them for all that are refused until ZooKeeper has removed the container, which it does when it was empty for a while.
 */
const NUMBER_MAX = 2 ** 31 - 2 ** 16;

export function isSpent({ number }: Row): boolean {
  return number < 0 || number > NUMBER_MAX;
}

/** What must happen before anything else matters: that a node goes, or that it goes or its claim waits no more; or whatever may make room. */
export type Awaited = { readonly kind: 'end' | 'turn'; readonly name: string } | { readonly kind: 'room' };
export const room: Awaited = { kind: 'room' };

export function awaitedOf(before: readonly Row[], share: number, of: number): Awaited {
  const blocker = blockerOf(before, share, of);
  if (blocker !== undefined) return { kind: 'end', name: blocker.name };
  const last = before.at(-1);
  // Readers are never too many. And where not all say the same number, one behind may have room when one before has none.
  const inTurn = of !== WHOLE && before.every((row) => row.of === of) && holding(before).length < before.length;
  return inTurn && last !== undefined ? { kind: 'turn', name: last.name } : room;
}

export function rowOf(name: string): Row {
  const match = NODE.exec(name);
  // What others made there is in the way: it is taken for a holder of all.
  if (match === null) return { name, id: '', share: WHOLE, of: WHOLE, number: Number.NEGATIVE_INFINITY };
  const [, id = '', share, of, number] = match;
  return { name, id, share: Number(share), of: Number(of), number: Number(number) };
}
