import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import {
  budgetText,
  bytesText,
  clockText,
  countText,
  dateText,
  durationText,
  rateText,
  shareText,
  tickText,
  valueText,
} from './format.ts';

/** Spaces that do not break read as spaces here. */
const plain = (text: string): string => text.replaceAll('\u00a0', ' ');

const table: readonly (readonly [(value: number) => string, readonly (readonly [number, string])[]])[] = [
  [
    countText,
    [
      [0, '0'],
      [7, '7'],
      [0.25, '0.25'],
      [0.001, '< 0.01'],
      [999, '999'],
      [1234, '1,234'],
      [9999.4, '9,999'],
      [12_345, '12.3 k'],
      [999_950, '1.00 M'],
      [-3, '−3'],
      [Number.NaN, '–'],
      [Number.POSITIVE_INFINITY, '∞'],
    ],
  ],
  [
    budgetText,
    [
      [1, '100 %'],
      [0.735, '73.5 %'],
      [-0.5, 'overdrawn by 50.0 %'],
      [-1, '2× spent'],
      [-9, '10× spent'],
      [-293.4, '294× spent'],
    ],
  ],
  [
    rateText,
    [
      [0, '0/s'],
      [0.2, '0.20/s'],
      [42.04, '42.0/s'],
      [1200, '1.20 k/s'],
      [Number.NaN, '–'],
    ],
  ],
  [
    durationText,
    [
      [0, '0'],
      [0.000_001, '< 0.01 µs'],
      [0.84, '840 µs'],
      [1.239, '1.24 ms'],
      [12.34, '12.3 ms'],
      [999.4, '999 ms'],
      [999.96, '1.00 s'],
      [51_840, '51.8 s'],
      [119_949, '120 s'],
      [119_960, '2 min'],
      [125_000, '2 min 5 s'],
      [3_599_900, '1 h'],
      [2_592_000, '43 min 12 s'],
      [12_000_000, '3 h 20 min'],
      [273_600_000, '3 d 4 h'],
      [Number.POSITIVE_INFINITY, '∞'],
      [-1500, '−1.50 s'],
      [Number.NaN, '–'],
    ],
  ],
  [
    shareText,
    [
      [0, '0 %'],
      [1, '100 %'],
      [0.001, '0.1 %'],
      [0.000_123, '0.012 %'],
      [0.000_001, '< 0.001 %'],
      [0.1234, '12.3 %'],
      [0.5, '50.0 %'],
      [0.9995, '99.95 %'],
      [0.999_999, '99.9999 %'],
      [0.999_999_999_9, '99.999999 %'],
      [14.4, '1,440 %'],
      [-0.31, '−31.0 %'],
      [Number.NaN, '–'],
    ],
  ],
  [
    bytesText,
    [
      [0, '0 B'],
      [512, '512 B'],
      [1023, '1.00 kB'],
      [1_572_864, '1.50 MB'],
      [Number.NaN, '–'],
    ],
  ],
];

test('values are shown as people read them', () => {
  for (const [text, cases] of table) {
    for (const [value, expected] of cases) assert.equal(plain(text(value)), expected, `${text.name}(${value})`);
  }
});

/** What a text stands for. */
function valueOf(text: string): number {
  const units: Readonly<Record<string, number>> = {
    '': 1, k: 1e3, M: 1e6, G: 1e9, T: 1e12, '%': 0.01, '/s': 1, 'k/s': 1e3, 'M/s': 1e6, 'G/s': 1e9, 'T/s': 1e12,
    µs: 0.001, ms: 1, s: 1000, min: 60_000, h: 3_600_000, d: 86_400_000,
  }; // prettier-ignore
  let sum = 0;
  for (const [, number = '', unit = ''] of plain(text)
    .replaceAll(',', '')
    .matchAll(/([\d.]+) ?([a-zA-Zµ%/]*)/g)) {
    sum += Number(number) * units[unit]!;
  }
  return sum;
}

test('a text is near its value, is short, never shows something as nothing, or less as all, and never falls as the value grows', () => {
  const value = fc.double({ min: -9, max: 14, noNaN: true }).map((power) => 10 ** power);
  for (const [text, max] of [
    [countText, 1e14],
    [rateText, 1e14],
    [durationText, 1e11],
    [shareText, 90],
  ] as const) {
    fc.assert(
      fc.property(value, fc.double({ min: 1, max: 1.1, noNaN: true }), (small, factor) => {
        fc.pre(small * factor < max);
        const [low, high] = [text(small), text(small * factor)];
        assert.ok(plain(low).length <= 14, low);
        if (!low.startsWith('<') && !low.startsWith('>')) {
          assert.ok(Math.abs(valueOf(low) / small - 1) < 0.051, `${low} for ${small}`);
          assert.ok(valueOf(low) > 0, low);
        }
        assert.ok(valueOf(high) >= valueOf(low), `${low}, then ${high}`);
        if (text === shareText && small < 1) assert.ok(valueOf(low) < 1, `${low} for ${small}`);
      }),
      { numRuns: 1000 },
    );
  }
});

test('what was not measured is not zero', () => {
  assert.equal(valueText('rate', null), '–');
  assert.equal(plain(valueText('duration', 12)), '12.0 ms');
});

test('on an axis there are no zeros that say nothing', () => {
  const ticks = [1, 1.5, 0.02, 100, 10].map((value) => plain(tickText('duration', value)));
  assert.deepEqual(ticks, ['1 ms', '1.5 ms', '20 µs', '100 ms', '10 ms']);
  assert.deepEqual(
    [tickText('rate', 0.5), plain(tickText('rate', 2000)), tickText('count', 0)],
    ['0.5/s', '2 k/s', '0'],
  );
});

test('the clock is that of the wall', () => {
  const noon = new Date(2026, 2, 1, 12, 3, 4, 56).getTime();
  assert.equal(clockText(noon), '12:03:04');
  assert.equal(clockText(noon, true), '12:03:04.056');
  assert.equal(plain(dateText(noon)), '2026-03-01 12:03');
  assert.equal(clockText(Number.NaN), '–');
  assert.equal(dateText(1e300), '–');
});
