/**
 * Durations, sizes and percentages as people write them: `500ms`, `1.5s`, `2m`, `8kb`, `10mb`, `50%`.
 *
 * A unit is required: `timeout: 30` has been read as seconds by one person and as milliseconds by the next.
 * `kb` is 1024 bytes, as in nginx and HAProxy; `kib` says the same. No sign, no exponent, no sum (`1m30s`).
 * Pure. A failure is a value that says what was expected and, where it can be guessed, what was probably meant.
 */

export type Parsed =
  | { readonly ok: true; readonly value: number }
  | { readonly ok: false; readonly expected: string; readonly suggestion: string | null };

const durationMs = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const sizeBytes = { b: 1, kb: 2 ** 10, mb: 2 ** 20, gb: 2 ** 30, tb: 2 ** 40 } as const;

export type Duration = `${number}${keyof typeof durationMs}`;
export type Size = `${number}${keyof typeof sizeBytes}`;
export type Percentage = `${number}%`;

/** What a duration, a size and a percentage look like: for JSON Schema, so an editor refuses what the parser would. */
export const durationPattern = '^\\d{1,16}(\\.\\d{1,6})?(ms|s|m|h|d)$';
export const sizePattern = '^\\d{1,16}(\\.\\d{1,6})?([kKmMgGtT][iI]?)?[bB]$';
export const percentagePattern = '^\\d{1,16}(\\.\\d{1,6})?%$';

export const durationExpected = 'a duration with a unit (ms, s, m, h, d), such as 500ms or 1.5s';
export const sizeExpected = 'a size with a unit (b, kb, mb, gb, tb), such as 8kb or 10mb';
export const percentageExpected = 'a percentage from 0% to 100%, such as 50%';

// What people write for the units, beside the units themselves.
const durationWords = wordsOf({
  ms: 'msec msecs millis millisecond milliseconds',
  s: 'sec secs second seconds',
  m: 'min mins minute minutes',
  h: 'hr hrs hour hours',
  d: 'day days',
});
const sizeWords = wordsOf({
  b: 'byte bytes',
  kb: 'k kilobyte kilobytes',
  mb: 'm meg megabyte megabytes',
  gb: 'g gig gigabyte gigabytes',
  tb: 't terabyte terabytes',
});

function wordsOf(units: Readonly<Record<string, string>>): ReadonlyMap<string, string> {
  return new Map(
    Object.entries(units).flatMap(([unit, words]) => words.split(' ').map((word) => [word, unit] as const)),
  );
}

/** A number and what follows it; the lengths bound the work whatever is given. */
function split(text: string): { readonly amount: string; readonly unit: string } | null {
  const match = /^\s{0,8}(\d{1,16}(?:\.\d{1,6})?)\s{0,8}([a-zA-Z%]{0,16})\s{0,8}$/.exec(text);
  return match === null ? null : { amount: match[1] ?? '', unit: match[2] ?? '' };
}

function unitOf(table: object, unit: string): number | undefined {
  return Object.hasOwn(table, unit) ? (table as Readonly<Record<string, number>>)[unit] : undefined;
}

/** Milliseconds of a duration such as `1.5s`. Fractions below a microsecond are rounded away. */
export function parseDuration(text: string): Parsed {
  const parts = split(text);
  if (parts === null) return { ok: false, expected: durationExpected, suggestion: null };
  const { amount, unit } = parts;
  const factor = unitOf(durationMs, unit);
  if (factor !== undefined && text === amount + unit) {
    return { ok: true, value: Math.round(Number(amount) * factor * 1000) / 1000 };
  }
  const lower = unit.toLowerCase();
  const known = Object.hasOwn(durationMs, lower) ? lower : durationWords.get(lower);
  const guess = known ?? (Number(amount) === 0 && unit === '' ? 's' : null);
  return { ok: false, expected: durationExpected, suggestion: guess === null ? null : amount + guess };
}

/** Bytes of a size such as `8kb`; units in either case, with or without the binary `i`. A part of a byte is rounded. */
export function parseSize(text: string): Parsed {
  const parts = split(text);
  if (parts === null) return { ok: false, expected: sizeExpected, suggestion: null };
  const { amount, unit } = parts;
  const lower = unit.toLowerCase().replace(/^([kmgt])ib$/, '$1b');
  const factor = unitOf(sizeBytes, lower);
  if (factor !== undefined && text === amount + unit) {
    const value = Math.round(Number(amount) * factor);
    if (Number.isSafeInteger(value)) return { ok: true, value };
    return { ok: false, expected: 'a size below 8192tb', suggestion: null };
  }
  const known = factor === undefined ? sizeWords.get(lower) : lower;
  const guess = known ?? (unit === '' ? 'b' : null);
  // Not one that is too large in its turn.
  const suggestion = guess !== null && parseSize(amount + guess).ok ? amount + guess : null;
  return { ok: false, expected: sizeExpected, suggestion };
}

/** The share, 0 to 1, of a percentage such as `50%`. */
export function parsePercentage(text: string): Parsed {
  const parts = split(text);
  if (parts === null || Number(parts.amount) > 100)
    return { ok: false, expected: percentageExpected, suggestion: null };
  const { amount, unit } = parts;
  if (unit === '%' && text === amount + unit) return { ok: true, value: Math.round(Number(amount) * 1e6) / 1e8 };
  return { ok: false, expected: percentageExpected, suggestion: unit === '%' ? `${amount}%` : null };
}

/** The shortest way to write `ms` that loses nothing: `1500` is `1.5s`, `120000` is `2m`. */
export function formatDuration(ms: number): string {
  return formatIn(ms, Object.entries(durationMs).slice(1), 'ms');
}

/** `5.3s`, `2m`: people want the size of it, not the digits. */
export function formatRoughly(ms: number): string {
  const unit = ms < 1000 ? 1 : ms < 60_000 ? 100 : 1000;
  return formatDuration(Math.round(ms / unit) * unit);
}

/** The shortest way to write a number of bytes that loses nothing: `8192` is `8kb`. */
export function formatSize(bytes: number): string {
  return formatIn(bytes, Object.entries(sizeBytes).slice(1), 'b');
}

/** The percentage of a share: `0.5` is `50%`. */
export function formatPercentage(share: number): string {
  return `${Number((share * 100).toFixed(6))}%`;
}

function formatIn(value: number, units: readonly (readonly [string, number])[], smallest: string): string {
  for (const [unit, factor] of units.toReversed()) {
    const amount = value / factor;
    // Two digits behind the point, in whole numbers: 16.1 times 1000 is a little more than 16,100.
    const hundredths = Math.round(amount * 100);
    const isExact = Number.isSafeInteger(value * 100) && hundredths * factor === value * 100;
    if (amount >= 1 && (isExact || Number.isInteger(amount))) return (isExact ? hundredths / 100 : amount) + unit;
  }
  return value + smallest;
}
