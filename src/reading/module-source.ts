/**
 * A config that is a module (`.ts`, `.js`, `.mjs`): run in a worker thread of its own, which gives back the exported value as plain data.
 *
 * A thread per evaluation: each reload sees new content, of imported files too (a module graph is never loaded twice in one
 * thread), nothing is left in memory, and a config that loops, exits or throws cannot take the gateway with it.
 * Cost: about 50 ms and the time of the imports. It is code and can do what this process can: only run your own.
 */
import { pathToFileURL } from 'node:url';
import { MessageChannel, receiveMessageOnPort, Worker } from 'node:worker_threads';
import { abortable } from '../kernel/abort.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Place } from './mistakes.ts';
import { locateInModule, syntaxErrorPlace } from './module-places.ts';
import { fileStart, SOURCE_BYTES_MAX, unreadable } from './yaml-source.ts';
import type { Source } from './yaml-source.ts';

/** Long enough for one that imports Spillway, which takes a second, on a machine that is thirty times too busy; a loop ends here. */
const EVALUATE_MS_MAX = 30_000;
/** Two paths and a sentence. */
const MESSAGE_MAX = 1000;

/** What the thread says. */
type Outcome =
  | { readonly kind: 'value'; readonly value: unknown; readonly files: readonly string[] }
  | { readonly kind: 'failure'; readonly message: string; readonly stack: string; readonly files: readonly string[] };

// What a config imports is watched; Spillway's own modules do not change under it.
const ownModules = new URL('../', import.meta.url).href;
const ownEntry = import.meta.url.endsWith('.ts') ? 'index.ts' : 'index.js';

// Runs in the thread. As text, so that it needs no file of its own beside the source and beside the build.
// What a config prints goes to stderr: stdout may be read by a program.
const evaluate = `
const { workerData } = require('node:worker_threads');
const { registerHooks } = require('node:module');
const { fileURLToPath } = require('node:url');
const { readFileSync } = require('node:fs');
const { url, port, own, self } = workerData;
const files = new Set();
process.stdout.write = (...rest) => process.stderr.write(...rest);
// npm init writes "type": "commonjs", and whoever wrote the config has not thought of that.
function formatOf({ url, format }) {
  if (!format?.startsWith('commonjs') || !/\\.[jt]s$/.test(url)) return format;
  const isModule = /^[ \\t]*(?:import|export)\\b(?!\\s*\\()/m.test(readFileSync(fileURLToPath(url), 'utf8'));
  return isModule ? format.replace('commonjs', 'module') : format;
}
function find(specifier, context, next) {
  try {
    return next(specifier, context);
  } catch (error) {
    // Run by a Spillway that is not installed beside the config.
    const [, part] = /^spillway((?:\\/[a-z]+)*)$/.exec(specifier) ?? [];
    if (part === undefined || error.code !== 'ERR_MODULE_NOT_FOUND') throw error;
    return next(new URL('.' + part + '/' + self, own).href, context);
  }
}
registerHooks({
  resolve(specifier, context, next) {
    const resolved = find(specifier, context, next);
    const theirs = resolved.url.startsWith('file:') && !resolved.url.includes('/node_modules/') && !resolved.url.startsWith(own);
    if (theirs && files.size < 1000) files.add(fileURLToPath(resolved.url));
    return theirs ? { ...resolved, format: formatOf(resolved) } : resolved;
  },
});
process.once('beforeExit', () => {
  port.postMessage({ kind: 'failure', message: 'it waits for something that never comes', stack: '', files: [...files] });
});
import(url).then(async (module) => {
  if (!('default' in module)) throw new Error('the module has no default export; write: export default …');
  port.postMessage({ kind: 'value', value: await module.default, files: [...files] });
}).catch((error) => {
  const message = String(error?.message ?? error);
  port.postMessage({ kind: 'failure', message, stack: String(error?.stack ?? ''), files: [...files] });
}).finally(() => port.close());
`;

export interface RunOptions {
  readonly clock: Clock;
  /** Ends the thread; rejects with its reason. */
  readonly signal?: AbortSignal | undefined;
}

export async function readModule(path: string, text: string, file: string, options: RunOptions): Promise<Source> {
  if (Buffer.byteLength(text) > SOURCE_BYTES_MAX) return unreadable(file, 'the file is larger than 1 MB');
  const outcome = await run(pathToFileURL(path).href, options);
  const files = outcome.files.filter((each) => each !== path);
  const language = { typescript: /\.[cm]?ts$/.test(path) };
  if (outcome.kind === 'failure') {
    const place = placeInStack(outcome.stack, path) ?? syntaxErrorPlace(text, language) ?? fileStart;
    return { ...unreadable(file, failure(outcome.message), place), files };
  }
  const locate = locateInModule(text, language);
  return { value: outcome.value, locate, mistakes: [], files };
}

async function run(url: string, { clock, signal }: RunOptions): Promise<Outcome> {
  const { promise, resolve } = Promise.withResolvers<Outcome>();
  const { port1, port2 } = new MessageChannel();
  const fail = (message: string, stack = '') => resolve({ kind: 'failure', message, stack, files: [] });
  const worker = new Worker(evaluate, {
    eval: true,
    name: 'spillway config',
    workerData: { url, port: port2, own: ownModules, self: ownEntry },
    transferList: [port2],
    // What decides which file an import means, and nothing else: a --test or --watch flag has no business there.
    execArgv: [
      ...process.execArgv.filter((flag) => flag.startsWith('--conditions=')),
      // A config beside no package.json, or one without a type, is as good as any.
      '--disable-warning=MODULE_TYPELESS_PACKAGE_JSON',
    ],
    resourceLimits: { maxOldGenerationSizeMb: 256 },
  });
  const timer = clock.after(EVALUATE_MS_MAX, () => fail(`it did not end within ${EVALUATE_MS_MAX / 1000} s`), {
    ref: true,
  });
  port1.on('message', (outcome: Outcome) => resolve(outcome));
  port1.on('messageerror', () => fail('it exports something that is not plain data'));
  worker.on('error', (error: Error) => fail(error.message, error.stack));
  worker.on('exit', (code) => {
    // The end of a thread may be heard of before what it said last: the two come by different ways.
    const last = receiveMessageOnPort(port1);
    if (last === undefined) fail(`it ended the process (exit ${code})`);
    else resolve(last.message as Outcome);
  });
  try {
    return await abortable(promise, signal);
  } finally {
    timer.clear();
    port1.close();
    await worker.terminate();
  }
}

function failure(message: string): string {
  const line = message.split('\n')[0] ?? '';
  if (/could not be cloned/.test(message)) return 'the config holds a function or another value that is not plain data';
  return `the config could not be run: ${line.slice(0, MESSAGE_MAX).replace(/\.$/, '')}`;
}

/** The first frame that is in the file, or `file:line` as a syntax error begins, with a mark below the column. */
function placeInStack(stack: string, path: string): Place | null {
  const name = [pathToFileURL(path).href, path].find((each) => stack.includes(`${each}:`));
  if (name === undefined) return null;
  const raw = stack.slice(stack.indexOf(`${name}:`) + name.length);
  const match = /^:(\d+)(?::(\d+)|\n(?:.*\n){1,20}?([ \t]*)\^)?/.exec(raw);
  if (match === null) return null;
  const [, line, column, mark = ''] = match;
  return { line: Number(line), column: Number(column ?? mark.length + 1) };
}
