/** What a command is: what it says of itself, what it takes, and a function from arguments to an exit code. */
import type { Clock } from '../kernel/clock.ts';
import type { ExitCode } from './exit-codes.ts';
import type { Output } from './terminal.ts';

export interface OptionSpec {
  readonly type: 'boolean' | 'string';
  readonly short?: string;
  /** May be given several times. */
  readonly multiple?: boolean;
  /** Name of the value in the help, such as `FILE`. */
  readonly value?: string;
  readonly summary: string;
}

export interface CommandSpec {
  /** After `spillway`: `explain 'METHOD URL' [options]`. */
  readonly usage: string;
  /** Paragraphs for `--help`. */
  readonly description: readonly string[];
  readonly options: Readonly<Record<string, OptionSpec>>;
  readonly positionalsMax: number;
  readonly examples: readonly string[];
}

/** Parsed arguments. A boolean that was not given is false, a string null, a multiple one empty. */
export interface Arguments {
  readonly positionals: readonly string[];
  flag(name: string): boolean;
  text(name: string): string | null;
  texts(name: string): readonly string[];
}

/** The world, as a command sees it. */
export interface CommandIo {
  /** Data, which a program may read. */
  readonly out: Output;
  /** What happens, for people. */
  readonly err: Output;
  readonly environment: NodeJS.ProcessEnv;
  readonly clock: Clock;
}

export interface Command {
  readonly spec: CommandSpec;
  run(args: Arguments, io: CommandIo): Promise<ExitCode>;
}

/** A wrong command line: shown as one line with where to look, exit code 2. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}
