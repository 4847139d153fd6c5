/**
 * A split: the requests of a route divided among arms by weight, by chance or by a key.
 *
 * The same key is always in the same arm, at every worker and every gateway with this config. A change of weights moves only the keys
 * that it must: from 90/10 to 80/20 a tenth, all of it from the first arm to the second; an arm that is new takes its share from
 * the others and moves nothing between them. The order of the arms means nothing, their names do.
 * The route's name is part of the draw: two routes split the same users independently, so the same ones are not always the canary.
 * A request without the key is placed by chance, and may be elsewhere the next time.
 *
 * Cost: the key's hash and 15 ns an arm; no allocation. Source: weighted rendezvous hashing (ring/rendezvous.ts).
 */
import type { Random } from '../../kernel/random.ts';
import { createRendezvous, type Placement } from '../../ring/index.ts';
import { createRequestKey, type RequestKey } from '../routing/request-key.ts';
import type { RoutedRequest } from '../routing/routed-request.ts';
import type { SplitPlan } from './plan.ts';

export class Split {
  readonly #placement: Placement;
  readonly #key: RequestKey | null;
  readonly #random: Random;

  constructor({ by, arms }: SplitPlan, route: string, random: Random) {
    this.#placement = createRendezvous(arms.map(({ name, weight }) => ({ name: `${route} ${name}`, weight })));
    this.#key = by === null ? null : createRequestKey(by);
    this.#random = random;
  }

  /** The key of `request` is known: it will be in the same arm the next time. */
  isSticky(request: RoutedRequest): boolean {
    return this.#key?.read(request) ?? false;
  }

  /** The index of the arm for `request`. */
  arm(request: RoutedRequest): number {
    const key = this.#key;
    const position = key?.read(request) === true ? key.hash : this.#random.int32();
    return this.#placement.locate(position, null);
  }
}
