/** Time that runs a hundred times as fast, so that back-offs of seconds are soon over, for tests of real files and pipes. */
import { type Clock, systemClock } from '../src/kernel/clock.ts';

export const fastClock: Clock = {
  ...systemClock,
  nowMs: () => systemClock.nowMs() * 100,
  after: (delayMs, run, options) => systemClock.after(delayMs / 100, run, options),
};
