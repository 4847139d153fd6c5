/**
 * A history that many processes write and one reads: each recorder appends JSON lines to a file of its own in one folder.
 *
 * A call is in the file before the operation begins, and a return after it has ended, so recorded intervals hold the real ones. Lines
 * are written at once and survive `kill -9`; a last line that it cut off is no operation that began, or one that stays open.
 * Cost: two small writes for an operation. Not for a machine that crashes: nothing is flushed to the disk.
 */
import { randomUUID } from 'node:crypto';
import { appendFileSync, closeSync, openSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Clock, machineClock } from '../../kernel/clock.ts';
import { SpillwayError } from '../../kernel/errors.ts';
import { checkKeys, invalid } from '../../kernel/options.ts';
import { checkHistory, type Operation } from './operation.ts';

export interface RecorderOptions {
  /** Shared by all who record into one folder. @defaultValue the machine's monotonic clock, the same in all its processes */
  readonly clock?: Pick<Clock, 'nowMs'>;
}

const SUFFIX = '.history.jsonl';

/** A token may be a bigint, which JSON has not. */
const toJson = (_key: string, value: unknown): unknown =>
  typeof value === 'bigint' ? { $bigint: String(value) } : value;

function fromJson(_key: string, value: unknown): unknown {
  const isBigint = typeof value === 'object' && value !== null && '$bigint' in value;
  return isBigint ? BigInt(String(value.$bigint)) : value;
}

/** Records what one process of a history does; several in one process of the machine are several of the history. */
export class Recorder {
  readonly #file: number;
  readonly #name = randomUUID();
  readonly #clock: Pick<Clock, 'nowMs'>;
  /** Goes up when an operation stays open: whoever goes on is another process of the history. */
  #life = 0;
  #busy = false;
  #closed = false;

  constructor(folder: string, clock: Pick<Clock, 'nowMs'>) {
    this.#clock = clock;
    this.#file = openSync(join(folder, `${process.pid}-${this.#name}${SUFFIX}`), 'ax');
  }

  /** Runs an operation and records it. If it fails it stays open, for nobody knows whether it happened; the error is passed on. */
  async run<Output>(input: unknown, operation: () => Output | Promise<Output>): Promise<Output> {
    if (this.#closed) throw invalid('This recorder is closed.');
    if (this.#busy) throw invalid('A recorder does one thing at a time; make one for each of those that run at once.');
    this.#busy = true;
    try {
      this.#write({ process: `${this.#name}/${this.#life}`, invoked: this.#clock.nowMs(), input });
      const output = await operation();
      this.#write({ returned: this.#clock.nowMs(), output });
      return output;
    } catch (error) {
      this.#life++;
      throw error;
    } finally {
      this.#busy = false;
    }
  }

  #write(line: object): void {
    appendFileSync(this.#file, `${JSON.stringify(line, toJson)}\n`);
  }

  [Symbol.dispose](): void {
    if (this.#closed) return;
    this.#closed = true;
    closeSync(this.#file);
  }
}

/**
 * A recorder into a folder, which has to exist. Inputs and outputs are JSON; bigints are kept.
 *
 * @example
 * using recorder = recordHistory(mkdtempSync(join(tmpdir(), 'history-')));
 * await recorder.run({ op: 'write', value: 1 }, () => undefined);
 */
export function recordHistory(folder: string, options: RecorderOptions = {}): Recorder {
  checkKeys('recordHistory', options, ['clock']);
  return new Recorder(folder, options.clock ?? machineClock);
}

interface Line {
  readonly process: string;
  readonly invoked: number;
  readonly returned: number;
  readonly input: unknown;
  readonly output?: unknown;
}

function damaged(file: string, line: number, fault: string, cause?: unknown): SpillwayError {
  return new SpillwayError('HISTORY_INVALID', `${file}:${line} ${fault}`, { cause });
}

/** What a whole line says; a line is whole if it ends. */
function readFile(path: string): Operation[] {
  const operations: Operation[] = [];
  const lines = readFileSync(path, 'utf8').split('\n');
  for (const [at, text] of lines.slice(0, -1).entries()) {
    let line: Partial<Line>;
    try {
      line = JSON.parse(text, fromJson) as Partial<Line>;
    } catch (error) {
      throw damaged(path, at + 1, 'is not JSON, and not the last line.', error);
    }
    const open = operations.at(-1);
    if (typeof line?.process === 'string' && typeof line.invoked === 'number')
      operations.push({ process: line.process, invoked: line.invoked, returned: null, input: line.input });
    else if (typeof line?.returned === 'number' && open?.returned === null)
      operations[operations.length - 1] = { ...open, returned: line.returned, output: line.output };
    else throw damaged(path, at + 1, 'is neither a call nor the return of the one before it.');
  }
  return operations;
}

/** What all recorders wrote into a folder, by the time of the call. Throws `HISTORY_INVALID` for damaged files, with the line. */
export function readHistory<Input, Output>(folder: string): Operation<Input, Output>[] {
  const files = readdirSync(folder).filter((name) => name.endsWith(SUFFIX));
  const history = files.flatMap((name) => readFile(join(folder, name))).sort((a, b) => a.invoked - b.invoked);
  checkHistory(history);
  return history as Operation<Input, Output>[];
}
