/** The one check of what a caller gives as weights; every algorithm begins with it. */

/** The most endpoints of one balancer: phases and slots of 16 bits tell that many apart. */
const ENDPOINTS_MAX = 65_536;

/** Between the lightest and the heaviest a share still has four digits in a float64 after 10^12 picks. */
const WEIGHT_MIN = 1e-6;
const WEIGHT_MAX = 1e6;

/** A copy that is safe to compute with, or a RangeError that says which weight is wrong. */
export function checkedWeights(weights: readonly number[]): Float64Array {
  if (weights.length > ENDPOINTS_MAX)
    throw new RangeError(`At most ${ENDPOINTS_MAX} endpoints, not ${weights.length}.`);
  for (const [index, weight] of weights.entries()) {
    if (weight !== 0 && !(weight >= WEIGHT_MIN && weight <= WEIGHT_MAX)) {
      throw new RangeError(
        `Weight ${index} is ${weight}; expected 0, or a number from ${WEIGHT_MIN} to ${WEIGHT_MAX}.`,
      );
    }
  }
  return Float64Array.from(weights);
}
