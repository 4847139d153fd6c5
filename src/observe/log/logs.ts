/**
 * The logs of a service: one JSON object for each line, on its way to a file or a pipe that may fail as it likes.
 *
 * Each thread makes its own over the same target. Invariants: logging neither throws nor waits; lines that could not be written are
 * counted, and the log itself says so when it goes on; secrets are left out by name (plain.ts).
 */
import { pino, type Logger as PinoLogger } from 'pino';
import { type Clock, systemClock } from '../../kernel/clock.ts';
import { checkKeys, invalid } from '../../kernel/options.ts';
import type { MetricsSink } from '../metrics/metrics.ts';
import { type LogCounts, LineWriter } from './line-writer.ts';
import { type LogThreshold, thresholdOf } from './levels.ts';
import { type Logger, type Module, ModuleLogger, thresholdWord } from './logger.ts';
import { Plain, type Secrets } from './plain.ts';
import type { LineKeeper } from './recent.ts';
import { SecretNames } from './secret-names.ts';
import { isPath, secretPaths } from './secret-paths.ts';
import { tellStderr } from './target.ts';
import { onCrash } from './thread-end.ts';

export type { Logger } from './logger.ts';

export interface LogsOptions {
  /** Who speaks: in each line as `service`. */
  readonly service: string;
  /** `stdout`, `stderr`, or the path of a file or pipe. @defaultValue 'stdout' */
  readonly target?: string;
  /** From which level on lines are written; can be changed while running. @defaultValue 'info' */
  readonly level?: LogThreshold;
  /** The same for single modules, by name. @defaultValue none */
  readonly levels?: Readonly<Record<string, LogThreshold>>;
  /**
   * What is secret too: a name, wherever it stands (`email`), or a path (`user.address`, `items[*].card`). Passwords, tokens, cookies and
   * their like are already. @defaultValue none
   */
  readonly redact?: readonly string[];
  /** Names that look as if they were secret and are not: `tokenizer`. @defaultValue none */
  readonly reveal?: readonly string[];
  /** Keeps the last lines in memory, to be looked at. @defaultValue none */
  readonly recent?: LineKeeper;
  /** Counts lines by level, and those that were lost. @defaultValue none */
  readonly metrics?: MetricsSink;
  /** Told, at most once a minute, when lines begin to be lost, and when they no longer are. @defaultValue a line on stderr, if that does not block */
  readonly notice?: (level: 'warn' | 'info', message: string) => void;
  /** @defaultValue the machine's */
  readonly clock?: Clock;
}

const known = ['service', 'target', 'level', 'levels', 'redact', 'reveal', 'recent', 'metrics', 'notice', 'clock'];
const SERVICE_MAX = 128;
/** More names than that are not told apart: somebody makes them of what comes in. */
const MODULES_MAX = 1000;

/** A module follows the general level until it is given one of its own. */
interface LevelledModule extends Module {
  hasOwn: boolean;
}

export class Logs {
  readonly #writer: LineWriter;
  readonly #pino: PinoLogger;
  readonly #secrets: Secrets;
  readonly #general: Module;
  readonly #modules = new Map<string, LevelledModule>();
  readonly #forget: () => void;

  constructor(options: LogsOptions) {
    const { service, target = 'stdout', clock = systemClock, notice = tellStderr } = options;
    const { level = 'info', levels = {}, redact = [], reveal = [], recent = null, metrics = null } = options;
    this.#secrets = {
      names: new SecretNames(
        redact.filter((entry) => !isPath(entry)),
        reveal,
      ),
      paths: secretPaths(redact.filter(isPath)),
    };
    this.#general = { threshold: thresholdOf('createLogs: level', level) };
    for (const [module, own] of Object.entries(levels)) this.setLevel(module, own);
    this.#writer = new LineWriter({ target, clock, notice, recent, metrics });
    this.#pino = pinoOf(service, this.#writer, clock);
    this.#writer.tellLost = (lost) => this.#pino.warn({ lost }, 'log lines were lost');
    const own = this.logger();
    this.#forget = onCrash((error, origin) => own.fatal({ err: error, origin }, 'uncaught error'));
  }

  /** What to log with. A module is a part of the service whose level can be changed by itself; its lines have it as `module`. */
  logger(module = ''): Logger {
    const { secrets, writer } = { secrets: this.#secrets, writer: this.#writer };
    if (module === '') return new ModuleLogger({ pino: this.#pino, module: this.#general, secrets, writer });
    const named = this.#pino.child({ module: new Plain(secrets, {}).text(module) });
    return new ModuleLogger({ pino: named, module: this.#moduleOf(module), secrets, writer });
  }

  /** From which level on lines are written, of modules too that have none of their own. */
  get level(): LogThreshold {
    return thresholdWord(this.#general);
  }

  set level(level: LogThreshold) {
    this.#general.threshold = thresholdOf('logs.level', level);
    for (const module of this.#modules.values()) {
      if (!module.hasOwn) module.threshold = this.#general.threshold;
    }
  }

  /** Gives a module a level of its own, from now on; with null it follows `level` again. Also before it has a logger. */
  setLevel(module: string, level: LogThreshold | null): void {
    const threshold = level === null ? this.#general.threshold : thresholdOf(`the level of ${module}`, level);
    Object.assign(this.#moduleOf(module), { threshold, hasOwn: level !== null });
  }

  /** What became of the lines so far. */
  get counts(): LogCounts {
    return { ...this.#writer.counts };
  }

  /** Opens the target anew, after it was rotated away: for SIGHUP. If that fails, lines go on to the old one. */
  reopen(): void {
    this.#writer.sink.reopen();
  }

  /** Writes what is left, for a second at most, and closes. Lines that come later are counted as lost. */
  async close(): Promise<void> {
    this.#forget();
    await this.#writer.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #moduleOf(name: string): LevelledModule {
    const module = this.#modules.get(name) ?? { threshold: this.#general.threshold, hasOwn: false };
    if (this.#modules.size < MODULES_MAX) this.#modules.set(name, module);
    return module;
  }
}

/**
 * Logs of this service, in this thread.
 *
 * @example
 * const logs = createLogs({ service: 'shop' });
 * const log = logs.logger('checkout');
 * log.info('order taken', { orderId: 17, card: { cvv: 123 } });
 * await logs.close();
 */
export function createLogs(options: LogsOptions): Logs {
  checkKeys('createLogs', options, known);
  const { service } = options;
  if (typeof service !== 'string' || service === '' || service.length > SERVICE_MAX)
    throw invalid(
      `createLogs: service is ${JSON.stringify(service)}; expected a name of 1 to ${SERVICE_MAX} characters.`,
    );
  return new Logs(options);
}

/** What makes lines. Nothing of pino's own destinations, redaction or errors is used. */
function pinoOf(service: string, writer: LineWriter, clock: Clock): PinoLogger {
  return pino(
    {
      level: 'trace',
      base: { service },
      formatters: { level: (level) => ({ level }) },
      serializers: { err: (error: unknown) => error },
      timestamp: timestamps(clock),
    },
    writer,
  );
}

/** `,"time":"2026-01-31T12:30:05.042Z"`; the text of a second is made once. */
function timestamps(clock: Clock): () => string {
  let second = Number.NaN;
  let text = '';
  return () => {
    const wallMs = Math.floor(clock.wallMs());
    const nowSecond = Math.floor(wallMs / 1000);
    if (nowSecond !== second) {
      second = nowSecond;
      text = `,"time":"${new Date(second * 1000).toISOString().slice(0, 20)}`;
    }
    return `${text}${String(wallMs - second * 1000).padStart(3, '0')}Z"`;
  };
}
