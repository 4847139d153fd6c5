/**
 * A wall clock that a test sets for other processes, while they run: libfaketime, loaded before them, reads a file at every look at the clock.
 *
 * Invariants: only the wall clock is changed (`Date`, `gettimeofday`, `CLOCK_REALTIME`). The monotonic clock, and with it timers and timeouts, is true, as it
 * is where an administrator or NTP sets a clock. A rate counts from when each process first looked at its clock, so that to set one later makes it jump.
 * A process with threads survives it: libfaketime has one buffer for what it reads, writes “+0” and then the file's text into it at every look, and lets other
 * threads parse it meanwhile; glibc aborts a process in which digits that it has counted are other digits, or none, when it reads them. So a text
 * begins with what that “+0” leaves as it was, is as long as any other, and its first digit is never a zero. What a thread may still see is
 * the true time, or the old one, or the new one forward instead of back, for one look.
 * Nothing is left: with the clock goes its file, and the shared memory that libfaketime leaves of processes that were killed.
 * Cost: a file is opened and read for each look: some 10 µs.
 *
 * Works for what asks its clock by libc: redis-server, postgres with its children, Node with its worker threads, the JVM (ZooKeeper, which it makes ten
 * times as slow to start), whatever is C.
 * Does not work for what asks the kernel by itself, as Go does (etcd): for that there is `VdsoClock`.
 */
import { chmodSync, existsSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { serverFile } from '../../scripts/servers.ts';

/** Where Linux has shared memory by name; libfaketime puts a block and a semaphore there for each process, named by its pid. */
const SHARED = '/dev/shm';

export class FakeClock implements Disposable {
  readonly #folder = mkdtempSync(join(tmpdir(), 'spillway-clock-'));
  readonly #file = join(this.#folder, 'now');
  /** What a process is started with so that it has this clock. */
  readonly environment: Readonly<Record<string, string>> = {
    // libc's own malloc before any other: jemalloc, which Redis has, asks the time while it starts, and libfaketime allocates while it does.
    LD_PRELOAD: `${serverFile('faketime')}:libc.so.6`,
    FAKETIME_TIMESTAMP_FILE: this.#file,
    FAKETIME_NO_CACHE: '1',
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
  };

  /** A clock that is right until it is set. */
  constructor() {
    // For servers that run as another user.
    chmodSync(this.#folder, 0o755);
    this.set(0);
  }

  /** So far from the true time from now on; a rate of 2 goes twice as fast. */
  set(offsetMs: number, rate = 1): void {
    const next = `${this.#file}.next`;
    // Renamed, for a file that is half written would be read as no change at all.
    writeFileSync(next, `${offsetText(offsetMs)}${rate === 1 ? '' : ` x${rate}`}\n`);
    renameSync(next, this.#file);
  }

  /** After the processes that have it are gone. */
  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true, force: true });
    for (const name of readdirSync(SHARED)) {
      const pid = /^(?:sem\.)?faketime_(?:shm|sem)_(\d+)$/.exec(name)?.[1];
      if (pid !== undefined && !existsSync(`/proc/${pid}`)) rmSync(join(SHARED, name), { force: true });
    }
  }
}

/** In seconds; what is no time at all is a nanosecond, so that there is a digit. */
function offsetText(offsetMs: number): string {
  const seconds = Math.max(Math.abs(offsetMs) / 1000, 1e-9);
  return `${offsetMs < 0 ? '-' : '+'}00${seconds.toExponential(12)}`;
}
