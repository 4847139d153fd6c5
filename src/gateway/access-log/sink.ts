/**
 * Where log lines go: a bounded buffer per worker and at most one write under way. Whatever happens to the target, a full
 * disk, a pipe whose reader left or sleeps, a rotated file, traffic does not notice: lines that find no room are dropped and
 * counted, and the operator is told once.
 *
 * Invariants: every write is of whole lines, no more of them than a target shared by several workers takes without mixing
 * them; a write that was cut short is continued before anything else and on the same file, and if it cannot be, the next
 * line begins on a line of its own; two buffers are all the memory there is; no write blocks a thread (target.ts).
 */
import fs from 'node:fs';
import type { Clock, Timer } from '../../kernel/clock.ts';
import { LINE_BYTES_MAX } from './line.ts';
import { openTarget, type Target } from './target.ts';

/** Lines of 100 ms at 20,000 requests a second, for a disk that pauses. What is never used costs no memory. */
const BUFFER_BYTES = 1024 * 1024;
/** A buffer filled so far, some 300 lines, is written at once: each write wakes another thread, which costs as much as ten lines. */
const FLUSH_BYTES = 128 * 1024;
/** …and lines wait no longer than this. */
const FLUSH_MS = 200;
/** A full pipe is tried again after so long, doubled each time up to `FLUSH_MS`: 64 KiB of pipe are soon read. */
const AGAIN_MS = 2;
/** After an error the target is left alone for so long, doubled each time. */
const RETRY_MS = 1000;
const RETRY_MS_MAX = 16_000;
/** The operator is told of trouble with the log no more often. */
const NOTICE_MS = 60_000;
/** What could not be written so long after `close` is lost. */
const CLOSE_MS = 1000;

const LF = 10;

export interface SinkOptions {
  /** `stdout`, or a path. */
  readonly target: string;
  readonly clock: Clock;
  /** Told when lines begin to be lost, and when they no longer are. */
  readonly notice: (level: 'warn' | 'info', message: string) => void;
  /** Lines that were lost, and errors. */
  readonly count: (dropped: number, errors: number) => void;
}

export class Sink {
  readonly #options: SinkOptions;
  #target: Target | null = null;
  /** Takes the place of `#target` when no write is half done. */
  #next: Target | null = null;
  // Byte 0 of both buffers is a line end, for a file that ends in a torn line.
  #buffer = bufferOfLines();
  #length = 1;
  #writing = bufferOfLines();
  #from = 1;
  #to = 1;
  #busy = false;
  #torn = false;
  #flushDueMs = 0;
  #again: Timer | null = null;
  #againMs = AGAIN_MS;
  #retryDueMs = 0;
  #retryMs = RETRY_MS;
  #failing = false;
  #noticeDueMs = 0;
  #closing = false;
  #idle: (() => void) | null = null;

  constructor(options: SinkOptions) {
    this.#options = options;
    this.#target = this.#open();
  }

  /** A place for one line of at most `LINE_BYTES_MAX`, or null if there is none; then the line is counted as lost. */
  room(): Uint8Array | null {
    if (this.#length + LINE_BYTES_MAX > BUFFER_BYTES) this.#flush();
    if (this.#length + LINE_BYTES_MAX <= BUFFER_BYTES && !this.#closing) return this.#buffer;
    this.#options.count(1, 0);
    this.#trouble('the target does not keep up');
    return null;
  }

  /** Where in `room()` the next line goes. */
  get length(): number {
    return this.#length;
  }

  /** A line was written to `[length, end)` of `room()`. */
  commit(end: number): void {
    this.#length = end;
    if (end >= FLUSH_BYTES) this.#flush();
  }

  /** Called regularly: writes what is old enough. */
  tick(nowMs: number): void {
    if (nowMs < this.#flushDueMs) return;
    this.#flushDueMs = nowMs + FLUSH_MS;
    this.#flush();
  }

  /** Opens the target anew, after it was rotated away. If that fails, lines go on to the old one. */
  reopen(): void {
    if (this.#closing) return;
    const opened = this.#open();
    if (opened === null) return;
    if (this.#next !== null) release(this.#next);
    this.#next = opened;
    this.#retryDueMs = 0;
    this.#retryMs = RETRY_MS;
    this.#flush();
  }

  /** Writes what is left, for a second at most, and closes. */
  async close(): Promise<void> {
    if (this.#closing) return;
    this.#closing = true;
    this.#retryDueMs = 0;
    await new Promise<void>((resolve) => {
      const timer = this.#options.clock.after(CLOSE_MS, resolve, { ref: true });
      this.#idle = () => {
        timer.clear();
        resolve();
      };
      this.#flush();
      this.#tellIdle();
    });
    this.#idle = null;
    this.#again?.clear();
    this.#options.count(linesIn(this.#writing, this.#from, this.#to) + linesIn(this.#buffer, 1, this.#length), 0);
    this.#from = this.#to;
    this.#length = 1;
    // A write that is still under way closes for itself.
    if (!this.#busy) this.#release();
  }

  /** Everything is written, or cannot be. */
  #tellIdle(): void {
    const isWaiting = this.#busy || this.#again !== null;
    if (this.#idle !== null && !isWaiting && (this.#length === 1 || this.#failing)) this.#idle();
  }

  #open(): Target | null {
    try {
      return openTarget(this.#options.target);
    } catch (error) {
      this.#failed(error as NodeJS.ErrnoException);
      return null;
    }
  }

  #release(): void {
    for (const target of [this.#target, this.#next]) if (target !== null) release(target);
    this.#target = null;
    this.#next = null;
  }

  #flush(): void {
    if (this.#busy || this.#again !== null || this.#options.clock.nowMs() < this.#retryDueMs) return;
    if (this.#from === this.#to && !this.#begin()) return;
    const target = this.#target;
    if (target === null) return;
    const to = Math.min(this.#to, pieceEnd(this.#writing, this.#from, this.#to, target.writeBytesMax));
    this.#busy = true;
    fs.write(target.fd, this.#writing, this.#from, to - this.#from, null, this.#written);
  }

  /** Takes what has been collected for the next write. False if there is nothing, or nowhere to write it. */
  #begin(): boolean {
    if (this.#next !== null) {
      if (this.#target !== null) release(this.#target);
      if (this.#next.identity !== this.#target?.identity) this.#torn = false;
      this.#target = this.#next;
      this.#next = null;
    }
    if (this.#length === 1) return false;
    this.#target ??= this.#open();
    if (this.#target === null) return false;
    const collected = this.#buffer;
    this.#buffer = this.#writing;
    this.#writing = collected;
    this.#from = this.#torn ? 0 : 1;
    this.#to = this.#length;
    this.#length = 1;
    return true;
  }

  readonly #written = (error: NodeJS.ErrnoException | null, bytes: number): void => {
    this.#busy = false;
    if (this.#closing && this.#idle === null) this.#release();
    else if (error === null) this.#advanced(bytes);
    else if (error.code === 'EAGAIN') this.#waitForReader();
    else {
      this.#options.count(linesIn(this.#writing, Math.max(this.#from, 1), this.#to), 0);
      this.#from = this.#to;
      this.#failed(error);
    }
    this.#tellIdle();
  };

  #advanced(bytes: number): void {
    this.#from += bytes;
    this.#torn = this.#writing[this.#from - 1] !== LF;
    this.#againMs = AGAIN_MS;
    this.#retryMs = RETRY_MS;
    if (this.#failing) {
      this.#failing = false;
      this.#options.notice('info', `access log ${this.#options.target}: lines are written again`);
    }
    if (this.#from < this.#to || this.#length >= FLUSH_BYTES || this.#closing) this.#flush();
  }

  /** The reader is behind: this piece waits, and new lines find no room when the buffer is full. */
  #waitForReader(): void {
    this.#again = this.#options.clock.after(this.#againMs, () => {
      this.#again = null;
      this.#flush();
      this.#tellIdle();
    });
    this.#againMs = Math.min(this.#againMs * 2, FLUSH_MS);
  }

  #failed(error: NodeJS.ErrnoException): void {
    const { clock, count } = this.#options;
    this.#retryDueMs = clock.nowMs() + this.#retryMs;
    this.#retryMs = Math.min(this.#retryMs * 2, RETRY_MS_MAX);
    count(0, 1);
    this.#trouble(error.code ?? error.message);
  }

  #trouble(reason: string): void {
    const { clock, notice, target } = this.#options;
    if (this.#failing || clock.nowMs() < this.#noticeDueMs) return;
    this.#failing = true;
    this.#noticeDueMs = clock.nowMs() + NOTICE_MS;
    notice('warn', `access log ${target}: lines are lost: ${reason}`);
  }
}

function bufferOfLines(): Buffer {
  const buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);
  buffer[0] = LF;
  return buffer;
}

function release({ fd, owned }: Target): void {
  if (owned) fs.close(fd, () => {});
}

/** The end of the last whole line in `[from, from + max)`; a line is never longer than that. */
function pieceEnd(lines: Buffer, from: number, to: number, max: number): number {
  if (to - from <= max) return to;
  const end = lines.lastIndexOf(LF, from + max - 1) + 1;
  return end > from ? end : to;
}

function linesIn(lines: Buffer, from: number, to: number): number {
  let count = 0;
  for (let at = from; at < to; at += 1) if (lines[at] === LF) count += 1;
  return count;
}
