/** The `spillway` command as a real process: what it printed so far, and waiting for what it will print. For tests. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { useOwnStateFolder } from './state-folder.ts';

const program = fileURLToPath(new URL('../src/cli/main.ts', import.meta.url));

useOwnStateFolder();

/** Far above what anything takes; so that a test that waits in vain says for what. */
const PRINTED_MS = 60_000;

export interface CliOptions {
  readonly cwd?: string;
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** What to run instead of Node with `spillway`. */
  readonly executable?: string;
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly out: string;
  readonly err: string;
}

/** A running command. Disposing kills it, if it still runs, and waits for its end. */
export class CliProcess implements AsyncDisposable {
  static readonly program = program;
  out = '';
  err = '';
  readonly child: ChildProcess;
  readonly exit: Promise<Exit>;

  constructor(args: readonly string[], options: CliOptions = {}) {
    const environment = { ...process.env, ...options.environment };
    // A test's own runner must not make a child report to it, nor colour what is compared.
    delete environment['NODE_TEST_CONTEXT'];
    delete environment['FORCE_COLOR'];
    const command = options.executable === undefined ? [CliProcess.program, ...args] : args;
    this.child = spawn(options.executable ?? process.execPath, command, {
      cwd: options.cwd,
      env: environment,
      stdio: ['ignore', 'pipe', 'pipe'],
      // A group of its own, so that what a shell or npm started goes with it.
      detached: true,
    });
    this.child.stdout?.setEncoding('utf8').on('data', (text: string) => (this.out += text));
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => (this.err += text));
    this.exit = once(this.child, 'close').then(([code, signal]) => ({
      code: code as number | null,
      signal: signal as NodeJS.Signals | null,
      out: this.out,
      err: this.err,
    }));
  }

  /** Resolves with the match once what was printed has it; rejects if the process ends without, or is silent for long. */
  async printed(pattern: RegExp, stream: 'out' | 'err' = 'err'): Promise<RegExpExecArray> {
    const source = stream === 'out' ? this.child.stdout! : this.child.stderr!;
    const deadline = AbortSignal.timeout(PRINTED_MS);
    for (;;) {
      const match = pattern.exec(this[stream]);
      if (match !== null) return match;
      if (source.readableEnded || deadline.aborted) {
        throw new Error(`${String(pattern)} was not printed:\n${this.out}\n${this.err}`);
      }
      const done = new AbortController();
      const signal = AbortSignal.any([deadline, done.signal]);
      const next = Promise.race([once(source, 'data', { signal }), once(source, 'end', { signal })]);
      await next.catch(() => null).finally(() => done.abort());
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { pid } = this.child;
    // Also when the child itself has ended: what it left would keep its pipes open, and `exit` waits for those.
    if (pid !== undefined) killGroup(pid);
    await this.exit;
  }
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // Nobody is left in it.
  }
}

/** Runs a command to its end. */
export function runCli(args: readonly string[], options: CliOptions = {}): Promise<Exit> {
  return new CliProcess(args, options).exit;
}
