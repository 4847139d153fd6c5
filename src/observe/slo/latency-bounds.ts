/**
 * The finite bounds of `spillway_request_duration_seconds`: the thresholds that people promise, round numbers all of them, so that how
 * many requests kept a promise is a count and no estimate. Between them the gateway counts finer than it shows (`gateway/durations.ts`).
 */

/** Growing, in ms. A series for each route and bound is what a scrape costs, so a bound that nobody promises is not there. */
export const latencyBoundsMs: readonly number[] = [
  0.1, 0.25, 0.5, 1, 2, 2.5, 5, 10, 15, 20, 25, 30, 40, 50, 75, 100, 150, 200, 250, 300, 400, 500, 600, 750, 800, 1000,
  1500, 2000, 2500, 3000, 4000, 5000, 7500, 10_000, 15_000, 20_000, 30_000, 60_000,
];

/** As they are exposed. */
export const latencyBoundsS: readonly number[] = latencyBoundsMs.map((bound) => bound / 1000);
