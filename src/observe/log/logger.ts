/**
 * What a service logs with: a message, a context, a level. Underneath is a logger of pino, which makes the line; before it, whatever was
 * given is made plain (plain.ts) and gets the ids of the work that is running (../context).
 *
 * Invariants: never throws and never blocks; a key is in a line once. Cost: below the level, a comparison; else `npm run bench -- observe`.
 */
import type { Logger as PinoLogger } from 'pino';
import { isError } from '../../kernel/errors.ts';
import { partOf, textOf as plainTextOf } from '../context/plain-text.ts';
import { traceContextOf } from '../context/trace-context.ts';
import { currentContext, type WorkContext } from '../context/work-context.ts';
import type { LineWriter } from './line-writer.ts';
import { levelNumbers, type LogLevel, type LogThreshold, levelOf } from './levels.ts';
import { type Fields, Plain, printed, type Secrets } from './plain.ts';

/**
 * `log.info('order taken', { orderId })`, `log.error(error, 'no payment')`, and all that pino takes: `log.info({ orderId }, 'order taken')`,
 * `log.info('%s items', 3)`.
 */
export interface LogMethod {
  (message: string, ...contextAndValues: readonly unknown[]): void;
  (contextOrError: unknown, message?: string, ...values: readonly unknown[]): void;
}

export interface Logger {
  fatal: LogMethod;
  error: LogMethod;
  warn: LogMethod;
  info: LogMethod;
  debug: LogMethod;
  trace: LogMethod;
  /** Nothing: there for frameworks that ask for it. */
  silent: LogMethod;
  /** From which level on its lines are written; to be changed at the `Logs`. */
  readonly level: LogThreshold;
  isLevelEnabled(level: LogLevel): boolean;
  /** A logger whose lines have this context too, beside that of this one. */
  child(context: object): Logger;
}

/** What all loggers of one name share. */
export interface Module {
  /** The least number of a level that is written. */
  threshold: number;
}

export interface LoggerParts {
  /** Names the service and the module, and nothing else. */
  readonly pino: PinoLogger;
  readonly module: Module;
  readonly secrets: Secrets;
  readonly writer: LineWriter;
}

/** Of the context that loggers are bound to, all together: each line has it again. */
const BOUND_CHARS_MAX = 4096;
/** No message with placeholders is longer. */
const TEMPLATE_MAX = 8192;

export class ModuleLogger implements Logger {
  readonly #parts: LoggerParts;
  readonly #pino: PinoLogger;
  readonly #bound: Fields;
  readonly #boundNames: readonly string[];
  readonly #boundChars: number;

  // WHY four parameters: private to this file and logs.ts; a logger is made for each request.
  constructor(parts: LoggerParts, pino: PinoLogger = parts.pino, bound: Fields = {}, boundChars = 0) {
    this.#parts = parts;
    this.#pino = pino;
    this.#bound = bound;
    this.#boundNames = Object.keys(bound);
    this.#boundChars = boundChars;
  }

  get level(): LogThreshold {
    return thresholdWord(this.#parts.module);
  }

  isLevelEnabled(level: LogLevel): boolean {
    return levelNumbers[level] >= this.#parts.module.threshold;
  }

  fatal(...given: readonly unknown[]): void {
    if (this.#parts.module.threshold <= levelNumbers.fatal) this.#log('fatal', given);
  }

  error(...given: readonly unknown[]): void {
    if (this.#parts.module.threshold <= levelNumbers.error) this.#log('error', given);
  }

  warn(...given: readonly unknown[]): void {
    if (this.#parts.module.threshold <= levelNumbers.warn) this.#log('warn', given);
  }

  info(...given: readonly unknown[]): void {
    if (this.#parts.module.threshold <= levelNumbers.info) this.#log('info', given);
  }

  debug(...given: readonly unknown[]): void {
    if (this.#parts.module.threshold <= levelNumbers.debug) this.#log('debug', given);
  }

  trace(...given: readonly unknown[]): void {
    if (this.#parts.module.threshold <= levelNumbers.trace) this.#log('trace', given);
  }

  silent(): void {}

  child(context: object): Logger {
    let bound: Fields = {};
    const plain = new Plain(this.#parts.secrets, bound);
    if (isObject(context)) plain.fields(context);
    let chars = this.#boundChars + plain.chars;
    if (chars > BOUND_CHARS_MAX) {
      bound = {};
      chars = this.#boundChars;
    }
    if (plain.isCut || chars === this.#boundChars) bound['cut'] = true;
    const isNew = !this.#boundNames.some((name) => Object.hasOwn(bound, name));
    const all = { ...this.#bound, ...bound };
    return new ModuleLogger(this.#parts, isNew ? this.#pino.child(bound) : this.#parts.pino.child(all), all, chars);
  }

  #log(level: LogLevel, given: readonly unknown[]): void {
    const { secrets, writer } = this.#parts;
    try {
      const context = currentContext();
      const record: Fields = {};
      if (context !== null) takeIds(context, record);
      const plain = new Plain(secrets, record);
      const message = messageOf(given, plain);
      if (plain.isCut) record['cut'] = true;
      writer.begin(level, context);
      this.#pinoFor(record)[level](record, message);
    } catch {
      writer.fail();
    }
  }

  /** A name that is bound and given again is the line's: then all is given, and nothing bound. */
  #pinoFor(record: Fields): PinoLogger {
    for (const name of this.#boundNames) {
      if (!Object.hasOwn(record, name)) continue;
      for (const other of this.#boundNames) if (!Object.hasOwn(record, other)) record[other] = this.#bound[other];
      return this.#parts.pino;
    }
    return this.#pino;
  }
}

export function thresholdWord({ threshold }: Module): LogThreshold {
  return Number.isFinite(threshold) ? levelOf(threshold) : 'silent';
}

function takeIds(context: WorkContext, record: Fields): void {
  const trace = traceContextOf(partOf(context, 'trace'));
  if (trace !== null) {
    record['trace_id'] = trace.traceId;
    record['span_id'] = trace.spanId;
    record['trace_flags'] = trace.flags < 16 ? `0${trace.flags.toString(16)}` : trace.flags.toString(16);
  }
  const correlationId = plainTextOf(partOf(context, 'correlationId'));
  if (correlationId !== '') record['correlation_id'] = correlationId;
}

/** Reads what was given, in any order that people use; contexts and errors go into the record, and what has no place, as `values`. */
function messageOf([first, ...rest]: readonly unknown[], plain: Plain): string {
  const contexts = isObject(first) ? [first] : [];
  const isBefore = isObject(first) || ((first === undefined || first === null) && typeof rest[0] === 'string');
  const [message, ...values] = isBefore ? rest : [first, ...rest];
  // The message first: whatever is too much is cut from the context.
  const text = plain.text(message === undefined ? ownMessage(first) : filled(message, values, plain));
  const others = values.filter((value) => !isObject(value) && value !== undefined);
  for (const value of values) if (isObject(value)) contexts.push(value);
  for (const context of contexts) {
    if (isError(context)) plain.field('err', context);
    else plain.fields(context);
  }
  if (others.length > 0) plain.field('values', others);
  return text;
}

/** A message with its placeholders filled; the values that they took are gone. */
function filled(message: unknown, values: unknown[], plain: Plain): string {
  if (typeof message !== 'string' || values.length === 0 || !message.includes('%')) return textOf(message, plain);
  return message.slice(0, TEMPLATE_MAX).replaceAll(/%[sdifjoOc%]/g, (place) => {
    if (place === '%%') return '%';
    return values.length > 0 ? textOf(values.shift(), plain) : place;
  });
}

function textOf(value: unknown, plain: Plain): string {
  return typeof value === 'string' ? value : printed(plain.value(value));
}

/** Of an error that came without a message: its own. */
function ownMessage(first: unknown): string {
  try {
    const { err, error } = first as Partial<Record<string, unknown>>;
    const message: unknown = [first, err, error].find(isError)?.message;
    return typeof message === 'string' ? message : '';
  } catch {
    return '';
  }
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
