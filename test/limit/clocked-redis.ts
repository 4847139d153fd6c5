/**
 * A client of a real Redis whose scripts see the test's clock instead of the server's, so that a test can say when each question is
 * decided. All else is the server's: the scripts, their arithmetic, the keys.
 */
import type { Redis } from 'ioredis';

import type { NodeRedisClient } from '../../src/drivers/redis.ts';

const TIME = "redis.call('TIME')";
/** When a key ends: by the server's own clock, and so long after any test. */
const END = '(now + reset)';
const LATER = '(now + reset + 2000000000000000)';

export function clockedRedis(redis: Redis, nowUs: () => number): NodeRedisClient {
  return {
    isReady: true,
    async sendCommand(command) {
      const [name = '', text = '', ...args] = command.map(String);
      // Known by its hash is only the script as it is.
      if (name === 'evalsha') throw new Error('NOSCRIPT with a clock of its own');
      for (const part of [TIME, END]) if (!text.includes(part)) throw new Error(`the script has no ${part}`);
      const us = nowUs();
      const clock = [String(Math.floor(us / 1e6)), String(us % 1e6)];
      const clocked = text.replace(TIME, '{ ARGV[#ARGV - 1], ARGV[#ARGV] }').replace(END, LATER);
      return redis.call(name, clocked, ...args, ...clock);
    },
  };
}
