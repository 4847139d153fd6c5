/**
 * The cheapest of all endpoints. Ties go round: a search begins behind the last pick and takes the first of equals, so
 * endpoints that are idle together get work in turn. Of equals that are at work, the one where some has just ended may be taken again.
 *
 * The numbers are shared and change under a search, so no structure can keep them in order. But between two looks at latencies work that
 * begins makes its endpoint dearer, and only work that ends makes one cheaper. So after a search nobody costs less than the second of it, but where work has
 * ended since; where this thread ended some is known (`Loads.endedAt`), and whoever of those costs less than the second, or than the last
 * pick, is the cheapest of all. Where nobody does there is another search.
 *
 * Invariants:
 *   - what is in flight at the one who is picked is what it is at the pick, by all threads, and nobody gets work because it was cheap a moment
 *     ago;
 *   - what is in flight at the others is what it is now but for work that *other* threads have ended since the last search, and for endpoints
 *     that may be picked again. So a thread may overlook somebody cheaper for `AGE_MAX_MS`, or as many picks as an eighth of the
 *     endpoints, whichever is sooner;
 *   - below `MANY` endpoints, and while one of them warms up, nobody is overlooked: each pick is a search.
 *
 * Cost: a search is O(n), some 1 to 2 ns an endpoint, and ends at one who cannot be beaten, so it is next to nothing while some are
 * idle. A pick without is O(1), some 40 ns (`npm run bench -- pick`). Where work ends one by one as it begins, one pick in an eighth of the
 * endpoints is a search; where it ends as chance has it, less than half are; and all are while somebody cannot be beaten, or if the thread
 * ends more than `LAST_ENDED_MAX` pieces of work between two picks, for other services, say.
 */
import type { Balancer, PickContext } from './balancer.ts';
import type { Cost } from './cost.ts';
import { LAST_ENDED_MAX, type Loads } from './loads.ts';

/** Fewer are searched as soon as anything else is tried. */
const MANY = 16;
const AGE_MAX_MS = 1;
/** A second takes one that has become slow since it was looked at; more, as many of them in a row. */
const TRIES_MAX = 4;

export class LeastCost implements Balancer {
  readonly #length: number;
  readonly #loads: Loads;
  readonly #cost: Cost;
  #lookedMs = Number.NEGATIVE_INFINITY;
  /** How many more picks the last search is good for. */
  #left = 0;
  /** What this thread had ended at the last pick. */
  #ended = 0;
  #next = 0;
  #best = -1;
  #bestCost = Number.POSITIVE_INFINITY;
  /** The cheapest but for the last pick. Of all others, nobody costs less where this thread has ended nothing. */
  #second = -1;
  #secondCost = Number.POSITIVE_INFINITY;

  constructor(length: number, loads: Loads, cost: Cost) {
    this.#length = length;
    this.#loads = loads;
    this.#cost = cost;
  }

  pick(context: PickContext): number {
    const isKnown = this.#left > 0 && this.#hasEnded(context);
    this.#left -= 1;
    if (!isKnown) this.#search(context);
    if (this.#best >= 0) this.#next = this.#best + 1;
    return this.#best;
  }

  #search(context: PickContext): void {
    const { nowMs, ramp } = context;
    const cost = this.#cost;
    const length = this.#length;
    const ageMs = nowMs - this.#lookedMs;
    if (!(ageMs >= 0 && ageMs < cost.ageMaxMs)) {
      cost.look(context, 0, length);
      this.#lookedMs = nowMs;
    }
    this.#ended = this.#loads.ended;
    for (let tries = 1; tries <= TRIES_MAX; tries++) {
      this.#best = this.#second = -1;
      this.#bestCost = this.#secondCost = Number.POSITIVE_INFINITY;
      this.#walk(context, this.#next, length);
      this.#walk(context, 0, this.#next);
      if (this.#best < 0 || cost.holds(context, this.#best)) break;
    }
    this.#left = ramp === null && length >= MANY && this.#second >= 0 ? length >> 3 : 0;
  }

  #walk({ eligible }: PickContext, from: number, to: number): void {
    const { alone, least } = this.#cost;
    let best = this.#best | 0;
    let bestCost = this.#bestCost;
    if (bestCost <= least) return;
    let second = this.#second | 0;
    let secondCost = this.#secondCost;
    const wantsSecond = this.#length >= MANY;
    let bound = wantsSecond ? secondCost : bestCost;
    const inFlight = this.#loads.row(from, to);
    for (let index = from | 0; index < to; index = (index + 1) | 0) {
      const cost = ((inFlight[index]! + 1) | 0) * alone[index]!;
      // Few are cheaper than all before them: of those alone it is asked whether they are eligible. What is no number is not cheaper.
      if (!(cost < bound) || eligible[index] !== 1) continue;
      if (cost < bestCost) {
        second = best;
        secondCost = bestCost;
        best = index;
        bestCost = cost;
        if (cost <= least) {
          second = -1;
          break;
        }
      } else {
        second = index;
        secondCost = cost;
      }
      bound = wantsSecond ? secondCost : bestCost;
    }
    this.#best = best;
    this.#bestCost = bestCost;
    this.#second = second;
    this.#secondCost = secondCost;
  }

  /** Whether the cheapest is where this thread has ended work since the last pick; it is `#best` then. */
  #hasEnded(context: PickContext): boolean {
    const { eligible, nowMs, ramp } = context;
    const loads = this.#loads;
    const cost = this.#cost;
    const ageMs = nowMs - this.#lookedMs;
    const { ended } = loads;
    if (!(ageMs >= 0 && ageMs < AGE_MAX_MS) || ramp !== null) return false;
    // Fewer than at the last pick is more than are known: the lane has begun anew.
    if ((ended - this.#ended) >>> 0 > LAST_ENDED_MAX) return false;
    const { alone } = cost;
    const last = this.#best;
    const lastCost = (loads.inFlight(last) + 1) * alone[last]!;
    let second = this.#second;
    let secondCost = this.#secondCost;
    if (lastCost < secondCost) {
      second = last;
      secondCost = lastCost;
    }
    let best = -1;
    let bestCost = Number.POSITIVE_INFINITY;
    for (let number = this.#ended; number !== ended; number = (number + 1) | 0) {
      const index = loads.endedAt(number);
      if (index < 0 || index === best || eligible[index] !== 1) continue;
      cost.look(context, index, index + 1);
      const itsCost = (loads.inFlight(index) + 1) * alone[index]!;
      if (itsCost < bestCost) {
        if (bestCost < secondCost) {
          second = best;
          secondCost = bestCost;
        }
        best = index;
        bestCost = itsCost;
      } else if (itsCost < secondCost) {
        second = index;
        secondCost = itsCost;
      }
    }
    // One who may not be picked is no measure: the caller chooses among others than before.
    if (best < 0 || eligible[second] !== 1) return false;
    // Those who are idle together get work in turn, and whose turn it is a search says.
    if (bestCost > secondCost || (bestCost === secondCost && loads.inFlight(best) === 0)) return false;
    this.#ended = ended;
    this.#best = best;
    this.#second = second;
    this.#secondCost = secondCost;
    return true;
  }
}
