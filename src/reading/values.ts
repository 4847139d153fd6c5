/**
 * The kinds of value a config is made of: durations, sizes, percentages, counts, names, paths.
 *
 * Each is a zod schema from what people write to what programs use (ms, bytes, shares). Convention: a message of ours
 * begins with `expected ` and is what `schema-mistakes.ts` shows; a custom issue carries `Problem` in its `params`.
 */
import * as z from 'zod';
import {
  durationExpected,
  durationPattern,
  formatDuration,
  formatPercentage,
  formatSize,
  parseDuration,
  parsePercentage,
  parseSize,
  percentageExpected,
  percentagePattern,
  sizeExpected,
  sizePattern,
} from '../kernel/units.ts';
import type { Duration, Parsed, Percentage, Size } from '../kernel/units.ts';

/** What a custom issue says beyond its place. */
export interface Problem {
  readonly expected: string;
  readonly suggestion?: string | null;
}

/** The error option of a schema whose value must be `what`. */
export function expects(what: string): { readonly error: () => string } {
  return { error: () => `expected ${what}` };
}

interface Bounds {
  readonly min?: number;
  readonly max?: number;
}

interface Quantity extends Bounds {
  readonly expected: string;
  readonly pattern: string;
  readonly example: string;
  readonly parse: (text: string) => Parsed;
  readonly format: (value: number) => string;
}

function quantity(kind: Quantity): z.ZodType<number, string> {
  const { min = 0, max = Number.MAX_SAFE_INTEGER } = kind;
  const bounds = `from ${kind.format(min)} to ${kind.format(max)}`;
  return z
    .string(expects(kind.expected))
    .meta({ pattern: kind.pattern, examples: [kind.example] })
    .transform((text, context) => {
      const parsed = kind.parse(text);
      if (parsed.ok && parsed.value >= min && parsed.value <= max) return parsed.value;
      const problem: Problem = parsed.ok ? { expected: `a value ${bounds}` } : parsed;
      // Nothing that would be refused in its turn.
      const guess = kind.parse(problem.suggestion ?? '');
      const isGood = guess.ok && guess.value >= min && guess.value <= max;
      context.addIssue({ code: 'custom', params: { ...problem, suggestion: isGood ? problem.suggestion : null } });
      return z.NEVER;
    });
}

// A timer of Node's holds at most 2^31-1 ms; a longer one would fire at once.
const DURATION_MS_MAX = 24 * 86_400_000;

/** A duration, in ms. */
export function duration(bounds: Bounds = {}): z.ZodType<number, Duration> {
  const { min = 1, max = DURATION_MS_MAX } = bounds;
  return quantity({
    min,
    max,
    expected: durationExpected,
    pattern: durationPattern,
    example: '1.5s',
    parse: parseDuration,
    format: formatDuration,
  }) as z.ZodType<number, Duration>;
}

/** A number of bytes. */
export function size(bounds: Bounds): z.ZodType<number, Size> {
  return quantity({
    ...bounds,
    expected: sizeExpected,
    pattern: sizePattern,
    example: '8kb',
    parse: parseSize,
    format: formatSize,
  }) as z.ZodType<number, Size>;
}

/** A share, 0 to 1 if nothing else is said. */
export function percentage(bounds: Bounds = {}): z.ZodType<number, Percentage> {
  const { min = 0, max = 1 } = bounds;
  return quantity({
    min,
    max,
    expected: percentageExpected,
    pattern: percentagePattern,
    example: '10%',
    parse: parsePercentage,
    format: formatPercentage,
  }) as z.ZodType<number, Percentage>;
}

/** A whole number. */
export function count(min: number, max: number) {
  const error = expects(`a whole number from ${min} to ${max}`);
  return z.int(error).min(min, error).max(max, error);
}

export function flag() {
  return z.boolean(expects('true or false'));
}

/** One of a fixed set of words. */
export function oneOf<const Words extends readonly [string, ...string[]]>(words: Words) {
  return z.enum(words);
}

/** A text that `accepts`; `what` says which. `pattern` is for editors. */
export function text(what: string, accepts: RegExp, options: { readonly max?: number } = {}) {
  const error = expects(what);
  return z
    .string(error)
    .max(options.max ?? 1024, expects(`at most ${options.max ?? 1024} characters`))
    .regex(accepts, error);
}

/** A name that other parts of the file, metrics and logs use. */
export function name() {
  return text(
    'a name of letters, digits, dot, dash or underscore that begins with a letter or digit',
    /^[A-Za-z0-9][A-Za-z0-9._-]*$/,
    { max: 64 },
  );
}

/** A path on this machine, relative to the config file. */
export function file() {
  return text('the path of a file, relative to this one', /^[^\p{Cc}]+$/u, { max: 4096 });
}

/** A list with bounds. */
export function list<Item extends z.ZodType>(item: Item, options: { what: string; min?: number; max: number }) {
  const { what, min = 0, max } = options;
  return z
    .array(item, expects(`a list of ${what}`))
    .min(min, expects(`at least ${min} of ${what}`))
    .max(max, expects(`at most ${max} of ${what}`));
}

/** A map from names of the user's own to values. */
export function mapOf<Value extends z.ZodType>(key: z.ZodString, value: Value, max: number) {
  return z
    .record(key, value, {
      error: (issue) => (issue.code === 'invalid_type' ? 'expected a map of names and values' : undefined),
    })
    .refine((map) => Object.keys(map).length <= max, expects(`at most ${max} names`));
}

/** A map with exactly these keys allowed. */
export function section<Shape extends z.ZodRawShape>(shape: Shape) {
  return z.strictObject(shape, {
    error: (issue) => (issue.code === 'invalid_type' ? 'expected a map of keys and values' : undefined),
  });
}
