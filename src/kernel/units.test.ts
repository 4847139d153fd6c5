import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  durationPattern,
  formatDuration,
  formatPercentage,
  formatRoughly,
  formatSize,
  parseDuration,
  parsePercentage,
  parseSize,
  percentagePattern,
  sizePattern,
} from './units.ts';
import type { Parsed } from './units.ts';

const valueOf = (parsed: Parsed): number | null => (parsed.ok ? parsed.value : null);
const suggestionOf = (parsed: Parsed): string | null => (parsed.ok ? null : parsed.suggestion);

test('durations are read in ms', () => {
  const cases = {
    '0s': 0,
    '1ms': 1,
    '500ms': 500,
    '1.5s': 1500,
    '0.25s': 250,
    '2m': 120_000,
    '1h': 3_600_000,
    '1d': 86_400_000,
  };
  for (const [text, ms] of Object.entries(cases)) assert.equal(valueOf(parseDuration(text)), ms, text);
});

test('sizes are read in bytes, kb is 1024, in either case, with or without the i', () => {
  const cases = {
    '0b': 0,
    '8kb': 8192,
    '8KB': 8192,
    '8KiB': 8192,
    '1.5kb': 1536,
    '10mb': 10_485_760,
    '1gb': 2 ** 30,
    '1tb': 2 ** 40,
  };
  for (const [text, bytes] of Object.entries(cases)) assert.equal(valueOf(parseSize(text)), bytes, text);
});

test('percentages are read as shares', () => {
  const cases = { '0%': 0, '50%': 0.5, '100%': 1, '0.1%': 0.001 };
  for (const [text, share] of Object.entries(cases)) assert.equal(valueOf(parsePercentage(text)), share, text);
});

test('what is not a quantity is refused, with what was expected and what was probably meant', () => {
  const refused: readonly (readonly [string, (text: string) => Parsed, string | null])[] = [
    ['10', parseDuration, null], // seconds to one reader, milliseconds to the next
    ['0', parseDuration, '0s'],
    ['10 s', parseDuration, '10s'],
    ['10 sec', parseDuration, '10s'],
    ['10S', parseDuration, '10s'],
    ['5min', parseDuration, '5m'],
    ['-5s', parseDuration, null],
    ['1e3s', parseDuration, null],
    ['1m30s', parseDuration, null],
    ['s', parseDuration, null],
    ['', parseDuration, null],
    ['.5s', parseDuration, null],
    ['5s\n', parseDuration, '5s'],
    ['5constructor', parseDuration, null],
    ['8k', parseSize, '8kb'],
    ['8', parseSize, '8b'],
    ['8 MB', parseSize, '8mb'],
    ['9000tb', parseSize, null],
    ['101%', parsePercentage, null],
    ['50 %', parsePercentage, '50%'],
    ['0.5', parsePercentage, null], // a share to one reader, half a percent to the next
  ];
  for (const [text, parse, suggestion] of refused) {
    const parsed = parse(text);
    assert.equal(parsed.ok, false, JSON.stringify(text));
    assert.equal(suggestionOf(parsed), suggestion, JSON.stringify(text));
    assert.match(parsed.ok ? '' : parsed.expected, /^a (duration|size|percentage)/);
  }
});

const quantities = [
  { parse: parseDuration, format: formatDuration, pattern: durationPattern, max: 2 ** 40 },
  { parse: parseSize, format: formatSize, pattern: sizePattern, max: Number.MAX_SAFE_INTEGER },
] as const;

test('a duration for people has the size and few digits', () => {
  const roughly = [77, 999.6, 10_200, 9_990.874, 16_100, 61_400, 125_400].map(formatRoughly);
  assert.deepEqual(roughly, ['77ms', '1s', '10.2s', '10s', '16.1s', '61s', '125s']);
});

test('what is formatted reads back as the same number, and fits the pattern given to editors', () => {
  for (const { parse, format, pattern, max } of quantities) {
    fc.assert(
      fc.property(fc.integer({ min: 0, max }), (value) => {
        assert.equal(valueOf(parse(format(value))), value);
        assert.match(format(value), new RegExp(pattern));
      }),
    );
  }
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 1e6 }), (n) =>
      assert.equal(valueOf(parsePercentage(formatPercentage(n / 1e6))), n / 1e6),
    ),
  );
});

test('parser and pattern agree on every text', () => {
  const all = [...quantities, { parse: parsePercentage, pattern: percentagePattern }];
  const unit = fc.constantFrom('ms', 's', 'm', 'h', 'd', 'b', 'kb', 'KiB', 'mB', 'tb', '%', '', 'x', ' s', 's ');
  const amount = fc.oneof(fc.nat({ max: 100 }).map(String), fc.stringMatching(/^[0-9]{0,16}(\.[0-9]{0,7})?$/));
  const text = fc.oneof(
    fc.string(),
    fc.tuple(amount, unit).map(([a, u]) => a + u),
  );
  for (const { parse, pattern } of all) {
    fc.assert(
      fc.property(text, (given) => {
        const parsed = parse(given);
        // A pattern knows the form and not the bounds: 101% and 9000tb.
        if (parsed.ok) assert.match(given, new RegExp(pattern));
        else if (new RegExp(pattern).test(given))
          assert.ok(given.endsWith('%') || /[tT]i?[bB]$|[gG]i?[bB]$|[mM]i?[bB]$|[kK]i?[bB]$/.test(given), given);
      }),
      { numRuns: 2000 },
    );
  }
});

test('a suggestion is itself valid', () => {
  assert.equal(suggestionOf(parseSize('8200t')), null, 'too large in its turn');
  fc.assert(
    fc.property(fc.stringMatching(/^[0-9]{1,4} ?[a-z%]{0,5}$/), (given) => {
      for (const parse of [parseDuration, parseSize, parsePercentage]) {
        const suggestion = suggestionOf(parse(given));
        if (suggestion !== null) assert.ok(parse(suggestion).ok, `${given} → ${suggestion}`);
      }
    }),
  );
});
