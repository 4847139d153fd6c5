/**
 * Numbers as an instrument shows them: three significant digits, a unit, never wider than a column, `–` for what is not known.
 *
 * Invariants: what is not zero is never shown as zero, and what is not all is never shown as 100 %: the last nines are what an
 * objective is about. A greater value is never shown as a smaller one. Pure; for people, and not to be read back.
 */

import type { SloStatus } from '../../observe/slo/live/status.ts';

const NONE = '–';
/** Between a number and its unit: they stay on one line. */
const GAP = '\u00a0';

/** Three digits that mean something, and no zeros behind them that do not. */
function threeDigits(value: number): string {
  const digits = value >= 100 ? 0 : value >= 10 ? 1 : value >= 0.1 ? 2 : 3;
  return value.toFixed(digits);
}

/** The greatest unit of which there is at least one, after rounding: 999.96 ms is 1.00 s. */
function inUnits(value: number, units: readonly (readonly [string, number])[]): string {
  for (const [unit, size] of units) {
    if (Number(Math.abs(value / size).toPrecision(3)) >= 1) return threeDigits(value / size) + GAP + unit;
  }
  const [unit, size] = units.at(-1)!;
  return value / size < 0.01 ? `<${GAP}0.01${GAP}${unit}` : threeDigits(value / size) + GAP + unit;
}

const thousands = [
  ['T', 1e12],
  ['G', 1e9],
  ['M', 1e6],
  ['k', 1e3],
] as const;

/** How many: `0`, `7`, `1,234`, `12.3 k`. */
export function countText(count: number): string {
  if (!Number.isFinite(count)) return Number.isNaN(count) ? NONE : '∞';
  if (count < 0) return `−${countText(-count)}`;
  if (Math.round(count) >= 10_000) return inUnits(count, thousands);
  if (!Number.isInteger(count) && count < 100) return count === 0 ? '0' : fraction(count);
  const whole = String(Math.round(count));
  return whole.length === 4 ? `${whole[0]},${whole.slice(1)}` : whole;
}

function fraction(value: number): string {
  return value < 0.01 ? `<${GAP}0.01` : threeDigits(value);
}

/** How many a second: `0.25/s`, `1.20 k/s`. */
export function rateText(perSecond: number): string {
  const text = perSecond >= 1000 ? inUnits(perSecond, thousands) : countText(perSecond);
  return text === NONE ? NONE : `${text}/s`;
}

const seconds = [
  ['s', 1000],
  ['ms', 1],
  ['µs', 0.001],
] as const;
const long = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
  ['s', 1000],
] as const;

/** How long: `840 µs`, `1.24 ms`, `12.4 s`; from two minutes on in two units, `2 min 5 s`, `3 d 4 h`. Infinity is `∞`. */
export function durationText(ms: number): string {
  if (Number.isNaN(ms)) return NONE;
  if (ms < 0) return `−${durationText(-ms)}`;
  if (ms === Number.POSITIVE_INFINITY) return '∞';
  if (ms === 0) return '0';
  if (ms < 119_950) return inUnits(ms, seconds);
  for (const [at, [unit, size]] of long.entries()) {
    const [smaller = 's', part = 1000] = long[at + 1] ?? [];
    // Rounded in the smaller unit first, or there would be 1 h 60 min.
    const parts = Math.round(ms / part);
    const inOne = size / part;
    const whole = Math.floor(parts / inOne);
    if (whole < (size === 60_000 ? 2 : 1)) continue;
    const rest = parts % inOne;
    const first = whole >= 10_000 ? countText(whole) : String(whole);
    return rest === 0 || whole >= 100 ? first + GAP + unit : `${first}${GAP}${unit}${GAP}${rest}${GAP}${smaller}`;
  }
  return inUnits(ms, seconds);
}

/** A part of all: `0 %`, `0.012 %`, `12.3 %`, `99.95 %`. Near all as many digits as the missing part needs. */
export function shareText(share: number): string {
  if (!Number.isFinite(share)) return NONE;
  if (share < 0) return `−${shareText(-share)}`;
  const percent = share * 100;
  if (share === 0 || share === 1) return `${percent}${GAP}%`;
  if (percent < 0.001) return `<${GAP}0.001${GAP}%`;
  if (percent < 1) return `${Number(percent.toPrecision(2))}${GAP}%`;
  if (percent > 99 && percent < 100) {
    // As many digits as the first of what is missing, rounded away from all.
    const digits = Math.min(6, Math.ceil(-Math.log10(100 - percent)) + 1);
    const floor = Math.floor(percent * 10 ** digits + 1e-6) / 10 ** digits;
    return `${Math.min(Number(floor.toFixed(digits)), 99.999_999)}${GAP}%`;
  }
  return `${percent >= 1000 ? countText(percent) : threeDigits(percent)}${GAP}%`;
}

/** What is left of a budget: `73.5 %`, `−12.0 %`; of one that was spent twice and more, how often: `294× spent`. */
export function budgetText(leftShare: number): string {
  if (leftShare >= 0) return shareText(leftShare);
  return leftShare > -1 ? `overdrawn by ${shareText(-leftShare)}` : `${countText(1 - leftShare)}×${GAP}spent`;
}

const sizes = [
  ['TB', 2 ** 40],
  ['GB', 2 ** 30],
  ['MB', 2 ** 20],
  ['kB', 2 ** 10],
] as const;

/** `512 B`, `1.50 MB`; 1 kB is 1024 B, as in the config. */
export function bytesText(bytes: number): string {
  if (!Number.isFinite(bytes)) return NONE;
  if (bytes < 0) return `−${bytesText(-bytes)}`;
  return bytes < 1000 ? `${Math.round(bytes)}${GAP}B` : inUnits(bytes, sizes);
}

/** Of what a chart counts. */
export type Unit = 'count' | 'rate' | 'duration' | 'share' | 'bytes';

const texts = {
  count: countText,
  rate: rateText,
  duration: durationText,
  share: shareText,
  bytes: bytesText,
} as const satisfies Record<Unit, (value: number) => string>;

/** `–` for null: nothing was measured, which is not zero. */
export function valueText(unit: Unit, value: number | null): string {
  return value === null ? NONE : texts[unit](value);
}

/** As on an axis, where zeros behind the point say nothing: `1 ms`, not `1.00 ms`. */
export function tickText(unit: Unit, value: number): string {
  return valueText(unit, value).replace(/(\.\d*?)0+(?=\D|$)/, (_, digits: string) => (digits === '.' ? '' : digits));
}

const two = (value: number): string => String(value).padStart(2, '0');

/** The clock on the wall here, `14:03:27`, and its milliseconds where they matter. */
export function clockText(wallMs: number, withMs = false): string {
  const date = new Date(wallMs);
  if (Number.isNaN(date.getTime())) return NONE;
  const text = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  return withMs ? `${text}.${String(date.getMilliseconds()).padStart(3, '0')}` : text;
}

/** The day and the clock, `2026-03-01 14:03`. */
export function dateText(wallMs: number): string {
  const date = new Date(wallMs);
  if (Number.isNaN(date.getTime())) return NONE;
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return `${day}${GAP}${two(date.getHours())}:${two(date.getMinutes())}`;
}

/** The window of an objective: `in 30 d`, `each month (Europe/Berlin)`. */
export function windowText({ window, windowMs, period }: Pick<SloStatus, 'window' | 'windowMs' | 'period'>): string {
  return period === null ? `in ${durationText(windowMs)}` : window;
}
