/**
 * Puts a balancer to work, and compares what it picked with what it should have.
 *
 * Work comes in a closed loop: a fixed number of pieces is in flight, each new one ends the oldest, all answers take equally
 * long. So an algorithm that looks at load has something to look at, and still owes each endpoint its share.
 */
import assert from 'node:assert/strict';
import { type Balancer, createPickContext, type Loads, type PickContext } from '../balance/index.ts';
import { type Random, seededRandom } from '../kernel/random.ts';

const ANSWER_MS = 5;
const BETWEEN_MS = 0.25;
/** In flight for each endpoint: so many that a share of them is a number of pieces, nearly. */
const AT_WORK = 100;
/** Of a share by chance: one in 1.7 million is further off. */
const DEVIATIONS_MAX = 5;

export interface Drive {
  readonly balancer: Balancer;
  readonly loads: Loads;
  readonly picks: number;
  /** Sets what may be picked, and how warm it is, before the first pick. */
  readonly prepare?: (context: PickContext) => void;
}

/** How often each endpoint was picked. */
export function drive({ balancer, loads, picks, prepare }: Drive): number[] {
  const random = seededRandom(1);
  const context = createPickContext(loads.length);
  prepare?.(context);
  const counts = Array.from({ length: loads.length }, () => 0);
  const open = new Int32Array(AT_WORK * loads.length).fill(-1);
  for (let made = 0; made < picks; made++) {
    context.nowMs += BETWEEN_MS;
    context.keyHash = random.int32();
    const place = made % open.length;
    if (open[place]! >= 0) finish(loads, open[place]!, context.nowMs);
    const index = balancer.pick(context);
    assert.ok(index >= 0, `pick ${made} found nobody`);
    counts[index]! += 1;
    loads.started(index, context.nowMs);
    open[place] = index;
  }
  for (const index of open) if (index >= 0) finish(loads, index, context.nowMs);
  return counts;
}

function finish(loads: Loads, index: number, nowMs: number): void {
  loads.answered(index, ANSWER_MS, nowMs, true);
  loads.finished(index);
}

/** How far counts may be from their shares. */
export interface Bound {
  /** Whether chance has a part in them: then five standard deviations more. */
  readonly byChance: boolean;
  /** Relative. */
  readonly tolerance: number;
}

/** Two picks from its share at most, and what `bound` adds. */
export function assertShares(counts: readonly number[], parts: readonly number[], bound: Bound): void {
  const picks = sum(counts);
  for (const [index, part] of parts.entries()) {
    const share = part / sum(parts);
    const chance = bound.byChance ? DEVIATIONS_MAX * Math.sqrt(picks * share * (1 - share)) : 0;
    const slack = 2 + bound.tolerance * picks * share + chance;
    const off = Math.abs(counts[index]! - picks * share);
    const found = `endpoint ${index} was picked ${counts[index]} times in ${picks}`;
    assert.ok(off <= slack, `${found}; expected ${(picks * share).toFixed(0)} ± ${slack.toFixed(0)}`);
  }
}

export function sum(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0);
}

/** Where each key goes. */
export function places(balancer: Balancer, keys: Int32Array, context: PickContext): number[] {
  return Array.from(keys, (keyHash) => balancer.pick(Object.assign(context, { keyHash })));
}

export function keysOf(random: Random, count: number): Int32Array {
  return Int32Array.from({ length: count }, () => random.int32());
}
