/** A balancer of one's own: by chance, in proportion to weight. */
import type { Balancer, BalancerOptions } from 'spillway/balance';

export function createMine({ weights, random }: BalancerOptions): Balancer {
  // As whole numbers of 32 bits, which the engine never has to put into an object of their own.
  const bits = random === undefined ? () => (Math.random() * 2 ** 32) | 0 : () => random.int32();
  const shares = Float64Array.from(weights);
  if (!shares.every((share) => share === 0 || (share >= 1e-6 && share <= 1e6))) {
    throw new RangeError(`Weights are 0, or from 0.000001 to 1000000; these are ${weights.join(', ')}.`);
  }
  return {
    pick({ eligible, ramp }) {
      let total = 0;
      for (let index = 0; index < shares.length; index++) {
        total += eligible[index]! * shares[index]! * (ramp === null ? 1 : ramp[index]!);
      }
      let left = ((bits() >>> 0) / 2 ** 32) * total;
      let picked = -1;
      for (let index = 0; index < shares.length && left >= 0; index++) {
        const share = eligible[index]! * shares[index]! * (ramp === null ? 1 : ramp[index]!);
        if (share > 0) picked = index;
        left -= share;
      }
      return picked;
    },
  };
}
