/**
 * A process under test: a TypeScript file of the tree that is asked by lines of JSON, frozen, thawed and killed. Its side is `worker.ts`.
 *
 * Invariants: after `freeze` every thread of it is stopped, by what the kernel says; what waits for a process that ends is told how it ended and what
 * it said on stderr; it is gone when it is disposed, and also when the test is killed.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

import { freeze, thaw } from '../servers/process-state.ts';
import { launcher } from '../servers/server-process.ts';

/** The last that a process said on stderr; what is before it is seldom the reason. */
const SAID_CHARS_MAX = 20_000;

export interface WorkerOptions {
  readonly args?: readonly string[];
  /** Added to this process's own: a `FakeClock` has one. */
  readonly environment?: Readonly<Record<string, string>>;
}

interface Waiting {
  readonly matches: (message: unknown) => boolean;
  readonly resolve: (message: unknown) => void;
  readonly reject: (error: Error) => void;
}

interface Answer {
  readonly id: number;
  readonly answer?: unknown;
  readonly error?: string;
}

export class WorkerProcess implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #closed: Promise<unknown>;
  readonly #heard: unknown[] = [];
  readonly #waiting = new Set<Waiting>();
  #ended: Error | null = null;
  #said = '';
  #questions = 0;

  constructor(file: URL, { args = [], environment = {} }: WorkerOptions = {}) {
    const path = fileURLToPath(file);
    const node = [process.execPath, '--conditions=spillway-source', path, ...args];
    const [program = '', ...rest] = [...launcher(undefined, environment), ...node];
    const env = { ...process.env };
    // A test's own runner must not make a child report to it.
    delete env['NODE_TEST_CONTEXT'];
    this.#child = spawn(program, rest, { env, stdio: ['pipe', 'pipe', 'pipe'] });
    const { stdin, stdout, stderr } = this.#child;
    stdin!.on('error', () => {});
    stderr!.setEncoding('utf8').on('data', (text: string) => (this.#said = (this.#said + text).slice(-SAID_CHARS_MAX)));
    createInterface(stdout!).on('line', (line) => this.#hear(line));
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#closed = promise;
    this.#child.on('error', (cause) => this.#end(`could not be started: ${cause.message}`));
    this.#child.on('close', (code, signal) => {
      this.#end(`${path} ended by ${signal ?? `code ${code}`}; it said:\n${this.#said}`);
      resolve();
    });
  }

  get pid(): number {
    return this.#child.pid!;
  }

  send(message: unknown): void {
    this.#child.stdin!.write(`${JSON.stringify(message)}\n`);
  }

  /** The first message, come or to come, that matches; it is given once. */
  next<T>(matches: (message: T) => boolean = () => true): Promise<T> {
    const index = this.#heard.findIndex((message) => matches(message as T));
    if (index >= 0) return Promise.resolve(this.#heard.splice(index, 1)[0] as T);
    if (this.#ended !== null) return Promise.reject(this.#ended);
    return new Promise((resolve, reject) => {
      this.#waiting.add({
        matches: (message) => matches(message as T),
        resolve: (message) => resolve(message as T),
        reject,
      });
    });
  }

  /** Asks what `answerQuestions` of the worker answers; several may be under way. */
  async ask<T>(question: object): Promise<T> {
    const id = ++this.#questions;
    this.send({ id, question });
    const { answer, error } = await this.next<Answer>((message) => message.id === id);
    if (error !== undefined) throw new Error(error);
    return answer as T;
  }

  /** It does nothing any more when this returns, and what is sent to it waits: a holder that is paused. */
  freeze(): void {
    freeze(this.pid);
  }

  thaw(): void {
    thaw(this.pid);
  }

  /** At once, stopped or not; what it said before can still be heard. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kill();
  }

  #hear(line: string): void {
    const message: unknown = JSON.parse(line);
    for (const waiting of this.#waiting) {
      if (!waiting.matches(message)) continue;
      this.#waiting.delete(waiting);
      waiting.resolve(message);
      return;
    }
    this.#heard.push(message);
  }

  #end(how: string): void {
    this.#ended ??= new Error(how);
    for (const { reject } of this.#waiting) reject(this.#ended);
    this.#waiting.clear();
  }
}
