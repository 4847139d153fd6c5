/**
 * How often whoever waits asks by itself, while nothing can tell it: a lock with a ttl of minutes is handed over within half a second all the same.
 *
 * Half a second is what a hand-over may take without anybody minding who could have listened; and no more than four questions a second of a process,
 * for all in it that wait for one key. With jitter, so that processes which began to wait together do not ask together.
 */
import type { Random } from '../kernel/random.ts';

const POLL_MS_MAX = 500;
const POLL_MS_MIN = POLL_MS_MAX / 2;

/** Also those behind the first ask as often: it may go, and then they are the first, and are not told of it. */
export function pollMs(random: Random): number {
  return POLL_MS_MIN + random.unit() * (POLL_MS_MAX - POLL_MS_MIN);
}
