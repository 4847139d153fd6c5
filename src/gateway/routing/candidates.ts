/**
 * Routes of one host and path: the first whose conditions hold takes the request. One that asks for more comes first, then the
 * order of the file.
 */
import type { Condition } from './condition.ts';
import type { RoutedRequest } from './routed-request.ts';

interface Candidate {
  readonly route: number;
  readonly conditions: readonly Condition[];
}

export class Candidates {
  readonly #candidates: Candidate[] = [];

  /** Routes are added in the order of the file. */
  add(route: number, conditions: readonly Condition[]): void {
    const at = this.#candidates.findIndex((other) => other.conditions.length < conditions.length);
    this.#candidates.splice(at < 0 ? this.#candidates.length : at, 0, { route, conditions });
  }

  /** The route that takes the request, or -1. */
  first(request: RoutedRequest): number {
    for (const { route, conditions } of this.#candidates) if (holdsAll(conditions, request)) return route;
    return -1;
  }
}

function holdsAll(conditions: readonly Condition[], request: RoutedRequest): boolean {
  for (const condition of conditions) if (!condition.holds(request)) return false;
  return true;
}
