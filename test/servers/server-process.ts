/**
 * A real server as a child process of a test: started on a free port with its data in a temporary folder, killed, frozen, started again,
 * and gone at the end, also when the test itself is killed.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';

import { freeze, thaw } from './process-state.ts';

export interface Launch {
  readonly command: readonly string[];
  /** What it prints when it can be used. */
  readonly ready: RegExp;
  /** Root becomes this user. */
  readonly user?: string;
  /** Added to this process's own, and seen by the command alone, after root has become another user. */
  readonly environment?: Readonly<Record<string, string>>;
}

/** The words before a command that end it with its parent, take root from it where a user is given, and set its environment. */
export function launcher(user: string | undefined, environment: Readonly<Record<string, string>> = {}): string[] {
  const drop = user !== undefined && process.getuid?.() === 0;
  const prefix = [
    'setpriv',
    '--pdeathsig',
    'KILL',
    ...(drop ? ['--reuid', user, '--regid', user, '--clear-groups'] : []),
  ];
  return [...prefix, 'env', ...Object.entries(environment).map(([name, value]) => `${name}=${value}`)];
}

export class ServerProcess {
  readonly #launch: Launch;
  #child: ChildProcess | null = null;
  #said = '';

  constructor(launch: Launch) {
    this.#launch = launch;
  }

  get pid(): number {
    if (this.#child?.pid === undefined) throw new Error(`${this.#launch.command[0]} does not run`);
    return this.#child.pid;
  }

  async start(): Promise<void> {
    const { command, ready, user, environment } = this.#launch;
    const [program = '', ...args] = [...launcher(user, environment), ...command];
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child = child;
    this.#said = '';
    const exited = once(child, 'exit').then(() => {
      throw new Error(`${command[0]} ended before it was ready; it said:\n${this.#said}`);
    });
    const { promise: isReady, resolve } = Promise.withResolvers<void>();
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        this.#said = (this.#said + text).slice(-20_000);
        if (ready.test(this.#said)) resolve();
      });
    }
    exited.catch(() => {});
    await Promise.race([isReady, exited]);
  }

  /** Ends it at once; it can save nothing and say goodbye to nobody. */
  async kill(signal: 'SIGKILL' | 'SIGQUIT' = 'SIGKILL'): Promise<void> {
    const child = this.#child;
    this.#child = null;
    if (child?.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGCONT');
    child.kill(signal);
    await exited;
  }

  /** It keeps its connections and answers nothing, as a machine does that hangs. Its children go on. */
  freeze(): void {
    if (this.#child !== null) freeze(this.#child.pid!);
  }

  thaw(): void {
    if (this.#child !== null) thaw(this.#child.pid!);
  }
}
