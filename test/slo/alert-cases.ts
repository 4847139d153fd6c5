/**
 * When each alert of an objective comes and goes, written by hand: 99.9 % over 30 days, a step a minute, 600 requests a minute. By
 * this one list everything that evaluates alerts is tested.
 *
 * Moments are two steps or more from where something changes, so that a scrape earlier or later, or the end of a window, decides nothing.
 */
import type { Step } from '../../src/observe/slo/scenarios.ts';

export interface AlertCase {
  readonly name: string;
  readonly failuresMin?: number;
  readonly steps: readonly Step[];
  /** Minute, and the burn rates of the alerts that are on then. */
  readonly moments: readonly (readonly [minute: number, ...on: number[]])[];
}

const minutes = (count: number, bad: number, more: Partial<Step> = {}): Step[] =>
  Array.from({ length: count }, () => ({ good: 600 - bad, bad, gap: false, reset: false, ...more }));

const restarted = ([first, ...rest]: readonly Step[]): Step[] => [{ ...first!, reset: true }, ...rest];

/** A request each five minutes; the one in the thirtieth minute fails. */
const sparse: readonly Step[] = Array.from({ length: 91 }, (_, minute) => {
  const [bad, all] = [minute === 60 ? 1 : 0, minute % 5 === 0 ? 1 : 0];
  return { good: all - bad, bad, gap: false, reset: false };
});

/** Short windows of 5 and 30 minutes, 2 and 6 hours; an outage of ten minutes is above every long one. */
const outage: AlertCase['moments'] = [
  [69],
  [74, 14.4, 6, 3, 1],
  [82, 14.4, 6, 3, 1],
  [88, 6, 3, 1],
  [108, 6, 3, 1],
  [114, 3, 1],
  [197, 3, 1],
  [204, 1],
  [437, 1],
  [445],
];

export const alertCases: readonly AlertCase[] = [
  {
    name: 'a total outage of ten minutes: all come with it, and each goes with its short window',
    steps: [...minutes(71, 0), ...minutes(10, 600), ...minutes(370, 0)],
    moments: outage,
  },
  {
    name: 'the same where counters begin again at zero, before it and in the midst of it',
    steps: [
      ...minutes(40, 0),
      ...restarted(minutes(31, 0)),
      ...minutes(5, 600),
      ...restarted(minutes(5, 600)),
      ...minutes(370, 0),
    ],
    moments: outage,
  },
  {
    name: 'the same where three scrapes are lost in the midst of it',
    steps: [
      ...minutes(71, 0),
      ...minutes(4, 600),
      ...minutes(3, 600, { gap: true }),
      ...minutes(3, 600),
      ...minutes(370, 0),
    ],
    moments: outage,
  },
  {
    name: '1.3 % fail for two hours: slower than the fastest alert takes',
    steps: [...minutes(61, 0), ...minutes(120, 8)],
    moments: [[59], [150, 6, 3, 1], [178, 6, 3, 1]],
  },
  { name: 'half the budget is spent: nobody is told', steps: minutes(120, 0.3), moments: [[60], [118]] },
  { name: 'everything fails from the first request on', steps: minutes(20, 600), moments: [[10, 14.4, 6, 3, 1]] },
  { name: 'no traffic: no alert', steps: minutes(30, 0, { good: 0 }), moments: [[28]] },
  {
    name: 'little traffic: one failure is above every share',
    steps: sparse,
    moments: [[58], [63, 14.4, 6, 3, 1], [70, 6, 3, 1]],
  },
  {
    name: 'little traffic, and alerts that ask for two failures',
    failuresMin: 2,
    steps: sparse,
    moments: [[63], [70]],
  },
];
