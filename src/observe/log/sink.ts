/**
 * Where log lines go: a bounded buffer per thread and at most one write under way. Whatever happens to the target, a full
 * disk, a pipe whose reader left or sleeps, a rotated file, traffic does not notice: lines that find no room are dropped and
 * counted, and the operator is told once.
 *
 * Invariants: every write is of whole lines, no more of them than a target shared by several threads or processes takes without
 * mixing them; a write that was cut short is continued before anything else and on the same file, and if it cannot be, the next
 * line begins on a line of its own; two buffers are all the memory there is; no write blocks a thread: a
 * file is written by another one, everything else does not block (target.ts). When the thread ends, what is left is written before,
 * for a second at most.
 */
import fs from 'node:fs';
import type { Clock, Timer } from '../../kernel/clock.ts';
import { openTarget, type Target, wasWritten } from './target.ts';
import { atThreadEnd } from './thread-end.ts';

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
/** What could not be written so long after `close`, or after the end of the process began, is lost. */
const CLOSE_MS = 1000;

const LF = 10;

export interface SinkOptions {
  /** What it is called in notices. */
  readonly name: string;
  /** `stdout`, `stderr` or a path. */
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
  /** Set while collected lines wait for their time. */
  #due: Timer | null = null;
  #again: Timer | null = null;
  #againMs = AGAIN_MS;
  #retryDueMs = 0;
  #retryMs = RETRY_MS;
  #failing = false;
  #noticeDueMs = 0;
  #closing = false;
  /** When the end of the thread must be over; 0 while it goes on. */
  #endsMs = 0;
  #idle: (() => void) | null = null;
  readonly #forget: () => void;

  constructor(options: SinkOptions) {
    this.#options = options;
    this.#target = this.#open();
    this.#forget = atThreadEnd(() => this.#drain());
  }

  /** A place for one line of at most `bytes`, or null if there is none; then the line is counted as lost. */
  room(bytes: number): Buffer | null {
    if (this.#length + bytes > BUFFER_BYTES) this.flush();
    if (this.#length + bytes <= BUFFER_BYTES && !this.#closing) return this.#buffer;
    this.#options.count(1, 0);
    this.#trouble(this.#closing ? 'it is closed' : 'the target does not keep up');
    return null;
  }

  /** Where in `room()` the next line goes. */
  get length(): number {
    return this.#length;
  }

  /** A line was written to `[length, end)` of `room()`. */
  commit(end: number): void {
    this.#length = end;
    if (this.#endsMs > 0) this.#drain();
    else if (end >= FLUSH_BYTES) this.flush();
    else if (this.#due === null) this.#waitForMore();
  }

  /** Writes what there is now, if nothing is under way. */
  flush(): void {
    while (!this.#busy && this.#again === null && this.#options.clock.nowMs() >= this.#retryDueMs) {
      if (this.#from === this.#to && !this.#begin()) return;
      const target = this.#target;
      if (target === null) return;
      this.#busy = true;
      const bytes = this.#pieceEnd(target) - this.#from;
      if (target.isFile) {
        fs.write(target.fd, this.#writing, this.#from, bytes, null, this.#written);
        return;
      }
      try {
        this.#ended(null, fs.writeSync(target.fd, this.#writing, this.#from, bytes));
      } catch (error) {
        this.#ended(error as NodeJS.ErrnoException, 0);
      }
      if (!this.#isMore()) return;
    }
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
    this.flush();
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
      this.flush();
      this.#tellIdle();
    });
    this.#idle = null;
    this.#again?.clear();
    this.#due?.clear();
    this.#loseRest();
    // A write that is still under way closes for itself.
    if (!this.#busy) this.#release();
    this.#forget();
  }

  /** The thread ends and the event loop turns no more: writes what is left before it returns, for a second at most. */
  #drain(): void {
    const { clock } = this.#options;
    // Set for good: what others log at the end is written at once, within the same second.
    if (this.#endsMs === 0) this.#endsMs = clock.nowMs() + CLOSE_MS;
    this.#retryDueMs = 0;
    // A disk that does not answer would hold up the end for good.
    if (this.#busy && !this.#awaitWrite()) return this.#loseRest();
    while (this.#from < this.#to || this.#begin()) {
      const target = this.#target!;
      try {
        const bytes = this.#pieceEnd(target) - this.#from;
        this.#from += fs.writeSync(target.fd, this.#writing, this.#from, bytes);
        this.#torn = this.#writing[this.#from - 1] !== LF;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EAGAIN' || clock.nowMs() >= this.#endsMs) break;
        sleep(AGAIN_MS);
      }
    }
    this.#loseRest();
  }

  /** Until the write to a file that another thread of the system has to do is done, which the file tells; false if it is not in time. */
  #awaitWrite(): boolean {
    const { fd, writeBytesMax } = this.#target!;
    const written = this.#writing.subarray(this.#from, Math.min(this.#to, this.#from + writeBytesMax));
    while (!wasWritten(fd, written)) {
      if (this.#options.clock.nowMs() >= this.#endsMs) return false;
      sleep(AGAIN_MS);
    }
    this.#from = this.#to;
    this.#busy = false;
    return true;
  }

  /** What could not be written is counted. */
  #loseRest(): void {
    this.#options.count(this.#unwritten() + linesIn(this.#buffer, 1, this.#length), 0);
    this.#from = this.#to;
    this.#length = 1;
  }

  /** How far the next write goes: to the end of the last line that fits into one, or of the first, if that is longer. */
  #pieceEnd({ writeBytesMax }: Target): number {
    if (this.#to - this.#from <= writeBytesMax) return this.#to;
    const end = this.#writing.lastIndexOf(LF, this.#from + writeBytesMax - 1) + 1;
    return end > this.#from ? end : this.#writing.indexOf(LF, this.#from) + 1;
  }

  /** Lines of the write that was begun, without the line end in front. */
  #unwritten(): number {
    return linesIn(this.#writing, Math.max(this.#from, 1), this.#to);
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

  /** Lines wait for others to be written with, and after an error until the target is tried again. */
  #waitForMore(): void {
    const { clock } = this.#options;
    this.#due = clock.after(Math.max(FLUSH_MS, this.#retryDueMs - clock.nowMs()), () => {
      this.#due = null;
      this.flush();
      if (this.#length > 1 && !this.#closing) this.#waitForMore();
    });
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
    this.#ended(error, bytes);
    if (this.#isMore()) this.flush();
    this.#tellIdle();
  };

  #ended(error: NodeJS.ErrnoException | null, bytes: number): void {
    if (this.#closing && this.#idle === null) this.#release();
    else if (error === null) this.#advanced(bytes);
    else if (error.code === 'EAGAIN') this.#waitForReader();
    else {
      this.#options.count(this.#unwritten(), 0);
      this.#from = this.#to;
      this.#failed(error);
    }
    // Last: whoever is told of trouble may log it.
    this.#busy = false;
  }

  #advanced(bytes: number): void {
    this.#from += bytes;
    this.#torn = this.#writing[this.#from - 1] !== LF;
    this.#againMs = AGAIN_MS;
    this.#retryMs = RETRY_MS;
    if (!this.#failing) return;
    this.#failing = false;
    this.#tell('info', 'lines are written again');
  }

  /** Enough for another write. */
  #isMore(): boolean {
    return this.#from < this.#to || this.#length >= FLUSH_BYTES || (this.#closing && this.#length > 1);
  }

  /** The reader is behind: this piece waits, and new lines find no room when the buffer is full. */
  #waitForReader(): void {
    this.#again = this.#options.clock.after(this.#againMs, () => {
      this.#again = null;
      this.flush();
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
    const { clock } = this.#options;
    if (this.#failing || clock.nowMs() < this.#noticeDueMs) return;
    this.#failing = true;
    this.#noticeDueMs = clock.nowMs() + NOTICE_MS;
    this.#tell('warn', `lines are lost: ${reason}`);
  }

  #tell(level: 'warn' | 'info', what: string): void {
    const { name, notice, target } = this.#options;
    try {
      notice(level, `${name} ${target}: ${what}`);
    } catch {
      // Who is told has troubles too; the lines go on.
    }
  }
}

/** Blocks the thread. */
function sleep(delayMs: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, delayMs);
}

function bufferOfLines(): Buffer {
  const buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);
  buffer[0] = LF;
  return buffer;
}

function release({ fd, owned }: Target): void {
  if (owned) fs.close(fd, () => {});
}

function linesIn(lines: Buffer, from: number, to: number): number {
  let count = 0;
  for (let at = from; at < to; at += 1) if (lines[at] === LF) count += 1;
  return count;
}
