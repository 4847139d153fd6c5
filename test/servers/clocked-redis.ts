/**
 * A client of a real Redis whose scripts see the test's clock instead of the server's, so that a test can say when each question is
 * decided. All else is the server's: the scripts, their arithmetic, the keys.
 */
import type { Redis } from 'ioredis';

import type { NodeRedisClient } from '../../src/drivers/redis.ts';

const TIME = "redis.call('TIME')";
/** After the first line, which may be flags: the arguments are as if there were no clock. */
const clocks = '\nlocal clock_us, clock_s = table.remove(ARGV), table.remove(ARGV)\n';

/** `changes`: what else of a script must not be as it is, and what it is then. */
export function clockedRedis(
  redis: Redis,
  nowUs: () => number,
  changes: Readonly<Record<string, string>> = {},
): NodeRedisClient {
  return {
    isReady: true,
    async sendCommand(command) {
      const [name = '', text = '', ...args] = command.map(String);
      // Known by its hash is only the script as it is.
      if (name === 'evalsha') throw new Error('NOSCRIPT with a clock of its own');
      const us = nowUs();
      const clock = [String(Math.floor(us / 1e6)), String(us % 1e6)];
      let clocked = text.replace('\n', clocks);
      for (const [part, by] of Object.entries({ ...changes, [TIME]: '{ clock_s, clock_us }' })) {
        if (!clocked.includes(part)) throw new Error(`the script has no ${part}`);
        clocked = clocked.replaceAll(part, by);
      }
      return redis.call(name, clocked, ...args, ...clock);
    },
  };
}
