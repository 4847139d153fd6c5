/** Order by lightness, for every kind of eye, and no colour that is lost on its ground. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { heatLevel, heatRamp, heatStops, type Rgb } from './heat-colors.ts';

/** What eyes see that lack a kind of cone: Machado, Oliveira and Fernandes 2009, severity 1, on linear light. */
const eyes: Readonly<Record<string, readonly (readonly number[])[]>> = {
  'all cones': [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
  protanopia: [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
  deuteranopia: [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
  tritanopia: [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
}; // prettier-ignore

const linear = (part: number): number => (part <= 10.31 ? part / 3294.6 : ((part / 255 + 0.055) / 1.055) ** 2.4);

/** CIE lightness, 0 to 100. */
function lightness(color: Rgb, eye: readonly (readonly number[])[]): number {
  const light = color.map(linear);
  const seen = eye.map((row) => row.reduce((sum, weight, part) => sum + weight * light[part]!, 0));
  const y = Math.max(0, 0.2126 * seen[0]! + 0.7152 * seen[1]! + 0.0722 * seen[2]!);
  return y > 0.008856 ? 116 * Math.cbrt(y) - 16 : 903.3 * y;
}

const grounds = { light: [255, 255, 255], dark: [16, 20, 26] } as const;

for (const [mode, ground] of Object.entries(grounds)) {
  test(`${mode}: more is always further from the ground, for every kind of eye, and even the first stands off it`, () => {
    for (const [name, eye] of Object.entries(eyes)) {
      const ramp = heatRamp(heatStops[mode as 'light' | 'dark'], 32);
      const off = Array.from({ length: 32 }, (_, step) => {
        const color: Rgb = [ramp[step * 3]!, ramp[step * 3 + 1]!, ramp[step * 3 + 2]!];
        return Math.abs(lightness(color, eye) - lightness(ground, eye));
      });
      assert.ok(off[0]! >= 10, `${name}: the first is ${off[0]} off the ground`);
      for (let step = 1; step < 32; step++) {
        assert.ok(
          off[step]! - off[step - 1]! > 0.8,
          `${name}: step ${step} goes from ${off[step - 1]} to ${off[step]}`,
        );
      }
      assert.ok(off[31]! >= 70, `${name}: the last is ${off[31]} off`);
    }
  });
}

test('one is seen beside a million, the most has the last colour, and what is more than the most too', () => {
  assert.deepEqual([0, 1, 1e6, 2e6].map((count) => heatLevel(count, 1e6, 101)), [0, 5, 100, 100]); // prettier-ignore
});
