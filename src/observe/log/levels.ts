/** How grave a line is. The numbers are pino's; from 50 on a line is written at once, since the next thing may be the end. */
import { invalid } from '../../kernel/options.ts';

export const levelNumbers = { trace: 10, debug: 20, info: 30, warn: 40, error: 50, fatal: 60 } as const;

export type LogLevel = keyof typeof levelNumbers;
/** From which level on lines are written; `silent` is none. */
export type LogThreshold = LogLevel | 'silent';

export const URGENT = levelNumbers.error;

const words = Object.keys(levelNumbers) as LogLevel[];

/** The least number that is written. */
export function thresholdOf(what: string, level: unknown): number {
  if (level === 'silent') return Number.POSITIVE_INFINITY;
  const number = numberOf(level);
  if (number > 0) return number;
  throw invalid(`${what} is ${String(level)}; expected one of ${words.join(', ')}, silent.`);
}

/** 0 for what is no level. */
export function numberOf(level: unknown): number {
  return typeof level === 'string' && Object.hasOwn(levelNumbers, level) ? levelNumbers[level as LogLevel] : 0;
}

/** The word of a number, of what is between two the lower; `trace` below all. */
export function levelOf(number: number): LogLevel {
  return words.findLast((word) => levelNumbers[word] <= number) ?? 'trace';
}
