/**
 * The processes a benchmark starts: pinned to cores, with what they print kept (bounded), and none left behind.
 *
 * Invariant: every process started here is stopped by `stopAll`, which runs on dispose, on Ctrl-C and on SIGTERM; should the
 * harness itself be killed, the kernel tells the children (`setpriv --pdeathsig`). Only processes started here are signalled.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, existsSync, openSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { processTree } from './accounting.ts';

const OUTPUT_CHARS_MAX = 1_000_000; // a load generator prints a few hundred; a failing proxy may print much

export interface StartOptions {
  /** Core list for taskset, such as `1` or `0,2-3`. */
  readonly cores: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Standard output goes to this file, not to `output()`. */
  readonly stdoutFile?: string;
}

export interface Running {
  readonly pid: number;
  readonly child: ChildProcess;
  output(): string;
  exited(): boolean;
  /** Resolves with the exit status; a signal counts as -1. */
  readonly ended: Promise<number>;
  stop(): Promise<void>;
}

export interface Processes extends AsyncDisposable {
  start(command: string, args: readonly string[], options: StartOptions): Running;
  /** Runs to the end. Throws, with what it printed, on a status other than 0 or when it takes longer than `timeoutMs`. */
  run(
    command: string,
    args: readonly string[],
    options: StartOptions & { readonly timeoutMs: number },
  ): Promise<string>;
  stopAll(): Promise<void>;
}

/** All processes get the same nice value, so that contenders, load and origin are disturbed by others equally little. */
export function createProcesses(nice: number): Processes {
  const running = new Set<Running>();

  function start(command: string, args: readonly string[], options: StartOptions): Running {
    const words = ['taskset', '-c', options.cores, command, ...args];
    if (nice !== 0) words.unshift('nice', '-n', String(nice));
    if (existsSync('/usr/bin/setpriv')) words.unshift('setpriv', '--pdeathsig', 'TERM');
    const stdout = options.stdoutFile === undefined ? ('pipe' as const) : openSync(options.stdoutFile, 'a');
    const child = spawn(words[0] ?? command, words.slice(1), {
      stdio: ['pipe', stdout, 'pipe'],
      detached: true, // a session of its own: Ctrl-C reaches the harness, which stops the rest in order
      env: { ...process.env, ...options.env },
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    });
    if (typeof stdout === 'number') closeSync(stdout);
    if (nice !== 0 && child.pid !== undefined) weighSession(child.pid, nice);
    let output = '';
    const keep = (text: string): void => {
      if (output.length < OUTPUT_CHARS_MAX) output += text;
    };
    child.stdin?.on('error', () => {});
    child.stdout?.setEncoding('utf8').on('data', keep);
    child.stderr?.setEncoding('utf8').on('data', keep);
    let exited = false;
    const ended = new Promise<number>((resolve) => {
      child.once('error', (error) => {
        keep(`${error.message}\n`);
        exited = true;
        resolve(-1);
      });
      child.once('close', (status) => {
        exited = true;
        resolve(status ?? -1);
      });
    });
    const self: Running = {
      pid: child.pid ?? -1,
      child,
      output: () => output,
      exited: () => exited,
      ended,
      async stop() {
        running.delete(self);
        if (exited) return;
        const tree = processTree(self.pid); // noted first: a killed parent's children get another parent
        child.kill('SIGTERM');
        const inTime = await Promise.race([ended.then(() => true), sleep(3000, false, { ref: false })]);
        for (const pid of tree) if (!inTime || pid !== self.pid) killIfAlive(pid, inTime ? 'SIGTERM' : 'SIGKILL');
        await ended;
      },
    };
    running.add(self);
    void ended.then(() => running.delete(self));
    return self;
  }

  async function stopAll(): Promise<void> {
    await Promise.all([...running].map((one) => one.stop()));
  }

  return {
    start,
    stopAll,
    async run(command, args, options) {
      const one = start(command, args, options);
      const status = await Promise.race([one.ended, sleep(options.timeoutMs, 'late' as const, { ref: false })]);
      if (status === 'late') {
        await one.stop();
        throw new Error(`${command} did not end within ${options.timeoutMs} ms:\n${one.output()}`);
      }
      if (status !== 0) throw new Error(`${command} ended with status ${status}:\n${one.output()}`);
      return one.output();
    },
    [Symbol.asyncDispose]: stopAll,
  };
}

/** Where the kernel shares out time by session first (autogroup), `nice` counts only within one: so weigh the session too. */
function weighSession(pid: number, nice: number): void {
  try {
    writeFileSync(`/proc/${pid}/autogroup`, String(nice));
  } catch {
    // Not root, or no autogroups: then nice is all there is.
  }
}

function killIfAlive(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // Gone already, which is what was wanted.
  }
}

/** Resolves when something accepts on the port; throws, with what the process printed, if it ends first or takes too long. */
export async function listening(port: number, one: Running, timeoutMs = 15_000): Promise<void> {
  const patience = AbortSignal.timeout(timeoutMs);
  while (!patience.aborted) {
    if (one.exited()) throw new Error(`the process ended before it listened on port ${port}:\n${one.output()}`);
    if (await accepts(port)) return;
    await sleep(25);
  }
  throw new Error(`nothing listened on port ${port} within ${timeoutMs} ms:\n${one.output()}`);
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });
}
