/**
 * Where pino writes to: a line goes into the sink as bytes, and into the recent lines if somebody keeps them.
 *
 * Invariants: a line has at most `LINE_BYTES_MAX` bytes and one line end, its last; controls that drive terminals or end lines elsewhere
 * (C1, U+2028, U+2029) are escaped, as JSON does with those below U+0020. Where lines were lost, the next one that finds room says so. Who
 * counts and keeps lines may be a user's own: what that throws goes no further, and costs no line.
 */
import type { Clock } from '../../kernel/clock.ts';
import { quietly } from '../../kernel/quietly.ts';
import type { WorkContext } from '../context/work-context.ts';
import type { Counter } from '../metrics/instruments.ts';
import type { MetricsSink } from '../metrics/metrics.ts';
import { levelNumbers, type LogLevel, URGENT } from './levels.ts';
import type { LineKeeper } from './recent.ts';
import { Sink, type SinkOptions } from './sink.ts';

/** Docker's drivers and others cut longer lines in two. */
const LINE_BYTES_MAX = 16 * 1024;
/** Texts of a line that is too long are cut to the first of these that makes it fit. */
const SHORTER = [1024, 256, 64, 16];
/** Of UTF-8, per unit of a JavaScript string. */
const UNIT_BYTES_MAX = 3;
/** That lines were lost is told no more often. */
const TELL_MS = 1000;

const CONTROLS = /[\u007f-\u009f\u2028\u2029]/g;

export interface LogCounts {
  /** Lines that found room. */
  readonly taken: number;
  /** Lines that did not, or could not be written later. */
  readonly lost: number;
  /** Writes that failed. */
  readonly errors: number;
}

interface LineWriterOptions extends Pick<SinkOptions, 'target' | 'clock' | 'notice'> {
  readonly recent: LineKeeper | null;
  readonly metrics: MetricsSink | null;
}

export class LineWriter {
  readonly sink: Sink;
  readonly counts = { taken: 0, lost: 0, errors: 0 };
  /** Writes a line that says how many were lost. */
  tellLost: (lost: number) => void = () => {};
  readonly #recent: LineKeeper | null;
  readonly #clock: Clock;
  readonly #metrics: LogMetrics | null;
  #level: LogLevel = 'info';
  #context: WorkContext | null = null;
  #told = 0;
  #tellMs = 0;
  #isClosed = false;

  constructor({ target, clock, notice, recent, metrics }: LineWriterOptions) {
    this.#recent = recent;
    this.#clock = clock;
    this.#metrics = metrics === null ? null : logMetrics(metrics);
    this.sink = new Sink({ name: 'log', target, clock, notice, count: (lost, errors) => this.#lose(lost, errors) });
  }

  /** What the line that comes next is about. */
  begin(level: LogLevel, context: WorkContext | null): void {
    if (this.counts.lost !== this.#told && this.#clock.nowMs() >= this.#tellMs) this.#tell();
    this.#level = level;
    this.#context = context;
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (this.counts.lost !== this.#told) this.#tell();
    await this.sink.close();
  }

  #tell(): void {
    this.#told = this.counts.lost;
    this.#tellMs = this.#clock.nowMs() + TELL_MS;
    this.#level = 'warn';
    this.#context = null;
    this.tellLost(this.#told);
  }

  /** Instead of a line: it could not be made. */
  fail(): void {
    this.#lose(1, 0);
  }

  /** Called by pino. */
  write(line: string): void {
    if (line.length > LINE_BYTES_MAX) line = shortened(line);
    quietly(() => this.#recent?.addLine(line, this.#level, this.#context));
    const { sink } = this;
    let room = sink.room(line.length * UNIT_BYTES_MAX);
    if (room === null) return;
    let bytes = room.write(line, sink.length);
    if (bytes !== line.length) {
      // Beyond ASCII: longer than it looks, and with more than one kind of line end.
      line = fitting(line);
      room = sink.room(Buffer.byteLength(line));
      if (room === null) return;
      bytes = room.write(line, sink.length);
    }
    sink.commit(sink.length + bytes);
    this.counts.taken++;
    quietly(() => this.#metrics?.lines[this.#level].add());
    if (levelNumbers[this.#level] >= URGENT) sink.flush();
  }

  #lose(lost: number, errors: number): void {
    this.counts.lost += lost;
    this.counts.errors += errors;
    quietly(() => {
      this.#metrics?.lost.add(lost);
      this.#metrics?.errors.add(errors);
    });
  }
}

interface LogMetrics {
  readonly lines: Readonly<Record<LogLevel, Counter>>;
  readonly lost: Counter;
  readonly errors: Counter;
}

function logMetrics(metrics: MetricsSink): LogMetrics {
  const lines = metrics.counter({
    name: 'spillway_log_lines_total',
    help: 'Log lines that found room, some of which may be lost later.',
    labels: ['level'],
  });
  const lost = metrics.counter({ name: 'spillway_log_lost_total', help: 'Log lines that could not be written.' });
  const errors = metrics.counter({ name: 'spillway_log_errors_total', help: 'Writes to the log that failed.' });
  const bound = Object.keys(levelNumbers).map((level) => [level, lines.bind({ level })] as const);
  return { lines: Object.fromEntries(bound) as Record<LogLevel, Counter>, lost: lost.bind(), errors: errors.bind() };
}

function fitting(line: string): string {
  const escaped = line.replaceAll(CONTROLS, (control) => `\\u${control.charCodeAt(0).toString(16).padStart(4, '0')}`);
  return Buffer.byteLength(escaped) <= LINE_BYTES_MAX ? escaped : shortened(line);
}

/** The same record with its texts cut. */
function shortened(line: string): string {
  const record = { ...(JSON.parse(line) as Record<string, unknown>), cut: true };
  for (const length of SHORTER) {
    const short = (_: string, value: unknown): unknown => (typeof value === 'string' ? value.slice(0, length) : value);
    const shorter = `${JSON.stringify(record, short)}\n`.replaceAll(CONTROLS, '.');
    if (Buffer.byteLength(shorter) <= LINE_BYTES_MAX) return shorter;
  }
  const { level, time, service } = record as Record<string, unknown>;
  return `${JSON.stringify({ level, time, service, msg: '…', cut: true })}\n`;
}
