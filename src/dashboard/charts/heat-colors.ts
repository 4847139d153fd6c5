/**
 * The colours of heat maps: more is further from the ground of the page, darker by day and lighter by night. Pure.
 *
 * Invariant: lightness alone tells the order, also for eyes that lack a kind of cone (`heat-colors.test.ts` has all three), and the first
 * colour stands off the ground, because one slow answer among thousands is what a heat map is looked at for.
 */

export type Rgb = readonly [red: number, green: number, blue: number];

/** From few to many; an empty cell shows the ground. */
export const heatStops: Readonly<Record<'light' | 'dark', readonly Rgb[]>> = {
  light: [
    [196, 222, 240],
    [134, 182, 222],
    [74, 134, 196],
    [38, 84, 156],
    [28, 34, 92],
  ],
  dark: [
    [28, 58, 96],
    [32, 96, 146],
    [48, 142, 176],
    [122, 194, 178],
    [244, 238, 168],
  ],
};

/** `steps` colours as bytes, red, green, blue for each. */
export function heatRamp(stops: readonly Rgb[], steps: number): Uint8ClampedArray {
  const ramp = new Uint8ClampedArray(steps * 3);
  for (let step = 0; step < steps; step++) {
    const at = (step / Math.max(1, steps - 1)) * (stops.length - 1);
    const low = Math.min(Math.floor(at), stops.length - 2);
    for (let part = 0; part < 3; part++) {
      const [from, to] = [stops[low]![part]!, stops[low + 1]![part]!];
      ramp[step * 3 + part] = from + (to - from) * (at - low);
    }
  }
  return ramp;
}

/** Which colour a count has: logarithmic, so that one is seen beside a thousand. */
export function heatLevel(count: number, most: number, steps: number): number {
  return Math.round((Math.log1p(Math.min(count, most)) / Math.log1p(most)) * (steps - 1));
}
