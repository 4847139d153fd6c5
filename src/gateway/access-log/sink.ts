/**
 * Where log lines go: a bounded buffer per worker and at most one write under way. Whatever happens to the target, a full
 * disk, a pipe whose reader left or sleeps, a rotated file, traffic does not notice: lines that find no room are dropped and
 * counted.
 *
 * Files are opened for append and written in whole lines, so several workers can share one. Standard output is opened anew
 * and non-blocking (`/proc/self/fd/1`): a reader that does not read costs an EAGAIN and not a thread of the pool.
 *
 * Invariants: only whole lines are in the buffer; a write that was cut short is continued before anything else, so a line is
 * never torn unless the target was; at most `2 × BUFFER_BYTES` are held.
 */
import fs from 'node:fs';
import type { Clock } from '../../kernel/clock.ts';
import { LINE_BYTES_MAX } from './line.ts';

/** One write's worth. About 150 lines; at 20,000 requests a second a write every 8 ms. */
const BUFFER_BYTES = 128 * 1024;
/** Lines are at most this old when they are written. */
const FLUSH_MS = 200;
/** After an error the target is left alone for this long. */
const RETRY_MS = 1000;

export interface SinkOptions {
  /** `stdout`, or a path. */
  readonly target: string;
  readonly clock: Clock;
  /** Told once when lines begin to be lost, and once when they no longer are. */
  readonly notice: (level: 'warn' | 'info', message: string) => void;
  /** Lines that were lost, and errors. */
  readonly count: (dropped: number, errors: number) => void;
}

export class Sink {
  readonly #options: SinkOptions;
  #fd = -1;
  #buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);
  #length = 0;
  #lines = 0;
  /** What a write reads now, or still has to. */
  #writing = Buffer.allocUnsafeSlow(BUFFER_BYTES);
  #writingFrom = 0;
  #writingTo = 0;
  #writingLines = 0;
  #busy = false;
  #flushDueMs = 0;
  #retryMs = 0;
  #failing = false;
  #closed: (() => void) | null = null;

  constructor(options: SinkOptions) {
    this.#options = options;
    this.reopen();
  }

  /** A place for one line of at most `LINE_BYTES_MAX`, or null if there is none; then the line is counted as lost. */
  room(): Buffer | null {
    if (this.#length + LINE_BYTES_MAX > BUFFER_BYTES) this.#flush(this.#options.clock.nowMs());
    if (this.#length + LINE_BYTES_MAX <= BUFFER_BYTES) return this.#buffer;
    this.#options.count(1, 0);
    return null;
  }

  /** Where in `room()` the next line goes. */
  get length(): number {
    return this.#length;
  }

  /** A line was written to `[length, end)` of `room()`. */
  commit(end: number): void {
    this.#length = end;
    this.#lines++;
  }

  /** Called regularly: writes what is old enough. */
  tick(nowMs: number): void {
    if (nowMs >= this.#flushDueMs) {
      this.#flushDueMs = nowMs + FLUSH_MS;
      this.#flush(nowMs);
    }
  }

  /** Opens the target anew, after it was rotated away or the disk came back. */
  reopen(): void {
    const old = this.#fd;
    this.#fd = this.#open();
    // A write that is under way has its own hold on the file; closing waits for it.
    if (old >= 0) this.#closeLater(old);
  }

  /** Writes what is left and closes. */
  async close(): Promise<void> {
    this.#retryMs = 0;
    this.#flush(Number.POSITIVE_INFINITY);
    if (this.#busy) {
      await new Promise<void>((resolve) => {
        this.#closed = resolve;
      });
      this.#flush(Number.POSITIVE_INFINITY);
      if (this.#busy) {
        await new Promise<void>((resolve) => {
          this.#closed = resolve;
        });
      }
    }
    if (this.#fd >= 0) this.#closeLater(this.#fd);
    this.#fd = -1;
  }

  #stale: number[] = [];

  #closeLater(fd: number): void {
    this.#stale.push(fd);
    if (!this.#busy) this.#closeStale();
  }

  #closeStale(): void {
    for (const fd of this.#stale.splice(0)) fs.close(fd, () => {});
  }

  #open(): number {
    const { target } = this.#options;
    const { O_WRONLY, O_APPEND, O_CREAT, O_NONBLOCK } = fs.constants;
    try {
      if (target !== 'stdout') return fs.openSync(target, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK, 0o640);
      return fs.openSync('/proc/self/fd/1', O_WRONLY | O_APPEND | O_NONBLOCK);
    } catch (error) {
      this.#failed(error as NodeJS.ErrnoException, 0);
      return -1;
    }
  }

  #flush(nowMs: number): void {
    if (this.#busy || nowMs < this.#retryMs) return;
    if (this.#writingFrom === this.#writingTo) {
      if (this.#length === 0) return;
      const filled = this.#buffer;
      this.#buffer = this.#writing;
      this.#writing = filled;
      this.#writingFrom = 0;
      this.#writingTo = this.#length;
      this.#writingLines = this.#lines;
      this.#length = 0;
      this.#lines = 0;
    }
    if (this.#fd < 0) this.#fd = this.#open();
    if (this.#fd < 0) return;
    this.#busy = true;
    fs.write(this.#fd, this.#writing, this.#writingFrom, this.#writingTo - this.#writingFrom, null, this.#written);
  }

  readonly #written = (error: NodeJS.ErrnoException | null, bytes: number): void => {
    this.#busy = false;
    this.#closeStale();
    if (error === null) {
      this.#writingFrom += bytes;
      if (this.#failing) {
        this.#failing = false;
        this.#options.notice('info', `access log ${this.#options.target}: written again`);
      }
      if (this.#writingFrom < this.#writingTo || this.#length > BUFFER_BYTES / 2)
        this.#flush(this.#options.clock.nowMs());
    } else if (error.code === 'EAGAIN') {
      // The reader is behind: the rest of this piece stays, so that no line is torn, and new lines find no room.
      this.#retryMs = this.#options.clock.nowMs() + FLUSH_MS;
    } else this.#failed(error, this.#writingLines);
    const closed = this.#closed;
    this.#closed = null;
    closed?.();
  };

  #failed(error: NodeJS.ErrnoException, lines: number): void {
    const { clock, count, notice, target } = this.#options;
    this.#retryMs = clock.nowMs() + RETRY_MS;
    // A piece that was partly written ends in a torn line; the next begins on a line of its own.
    this.#writingTo = this.#writingFrom > 0 && lines > 0 ? this.#endLine() : this.#writingFrom;
    count(lines, 1);
    if (this.#failing) return;
    this.#failing = true;
    notice('warn', `access log ${target}: lines are lost, ${error.code ?? error.message}`);
  }

  #endLine(): number {
    this.#writing[0] = 10;
    this.#writingFrom = 0;
    this.#writingLines = 0;
    return 1;
  }
}
