/**
 * A fenced register in a folder of plain files, for the processes of one machine. A key is a folder, a write a file in it that is named by its token;
 * the greatest name is what is true. So a smaller token can overwrite nothing, without any lock:
 *
 * - What is written is whole before it has its name (rename), and on the disk, as its name is, before it is answered.
 * - A write that saw no greater token took its place just before any that came while it was under way.
 * - Older files are removed by the next write; what a killed process left half written, ten minutes later.
 *
 * Cost: a write is two fsyncs and O(writes under way). A folder per key, which nobody removes.
 */
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { SpillwayError } from '../../kernel/errors.ts';
import { invalid, shown } from '../../kernel/options.ts';
import type { Fenced, FencedRegister } from '../fenced.ts';

/** Digits of the greatest token, so that the order of names is that of tokens. */
const DIGITS = 20;
const NAME = /^\d{20}$/;
const UNFINISHED = 'unfinished-';
/** No write takes as long. */
const UNFINISHED_MS_MAX = 600_000;

class Files implements FencedRegister {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = resolve(folder);
  }

  async read(key: string, { signal }: { readonly signal?: AbortSignal } = {}): Promise<Fenced | null> {
    const folder = this.#folderOf(key);
    for (;;) {
      signal?.throwIfAborted();
      try {
        const name = await greatestIn(folder);
        return name === null ? null : { value: await readFile(join(folder, name), 'utf8'), token: BigInt(name) };
      } catch (error) {
        // A greater one has come, and this one has gone; or nobody has written yet.
        if (!isAbsent(error)) throw coded(folder, error);
        if (!(await exists(folder))) return null;
      }
    }
  }

  async write(
    key: string,
    { value, token }: Fenced,
    { signal }: { readonly signal?: AbortSignal } = {},
  ): Promise<boolean> {
    signal?.throwIfAborted();
    const folder = this.#folderOf(key);
    const name = String(token).padStart(DIGITS, '0');
    // Under any other name, nobody would find it.
    if (!NAME.test(name)) throw invalid(`fileRegister: token is ${token}; expected one of ${DIGITS} digits at most.`);
    try {
      await mkdir(folder, { recursive: true });
      if (((await greatestIn(folder)) ?? name) > name) return false;
      await this.#put(folder, name, value);
      await this.#tidy(folder, name);
      return true;
    } catch (error) {
      throw coded(folder, error);
    }
  }

  async #put(folder: string, name: string, value: string): Promise<void> {
    const path = join(folder, UNFINISHED + randomBytes(16).toString('hex'));
    try {
      await flushed(path, 'wx', (file) => file.writeFile(value));
      await rename(path, join(folder, name));
    } catch (error) {
      await rm(path, { force: true });
      throw error;
    }
    // The names of the file, of the folder of the key, and of the folder of all.
    for (const each of [folder, this.#folder, resolve(this.#folder, '..')]) await flushed(each, 'r');
  }

  async #tidy(folder: string, mine: string): Promise<void> {
    const nowMs = (await mtimeMs(join(folder, mine))) ?? 0;
    for (const name of await readdir(folder)) {
      if (NAME.test(name)) {
        if (name < mine) await rm(join(folder, name), { force: true });
      } else if (
        name.startsWith(UNFINISHED) &&
        nowMs - ((await mtimeMs(join(folder, name))) ?? nowMs) > UNFINISHED_MS_MAX
      ) {
        await rm(join(folder, name), { force: true });
      }
    }
  }

  #folderOf(key: string): string {
    // Any text, on file systems that take some characters for others too.
    return join(this.#folder, createHash('sha256').update(key).digest('hex'));
  }
}

async function greatestIn(folder: string): Promise<string | null> {
  const names = (await readdir(folder)).filter((name) => NAME.test(name));
  return names.length === 0 ? null : names.reduce((one, other) => (one > other ? one : other));
}

async function flushed(
  path: string,
  flags: 'wx' | 'r',
  write?: (file: Awaited<ReturnType<typeof open>>) => Promise<void>,
): Promise<void> {
  const file = await open(path, flags);
  try {
    await write?.(file);
    await file.sync();
  } finally {
    await file.close();
  }
}

async function mtimeMs(path: string): Promise<number | null> {
  try {
    return (await stat(path)).mtimeMs;
  } catch (error) {
    if (isAbsent(error)) return null;
    throw error;
  }
}

async function exists(path: string): Promise<boolean> {
  return (await mtimeMs(path)) !== null;
}

function isAbsent(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}

/** A disk that is full can be freed; what may not be written cannot. */
const passing: ReadonlySet<unknown> = new Set([
  'ENOSPC',
  'EDQUOT',
  'EMFILE',
  'ENFILE',
  'EIO',
  'EAGAIN',
  'EBUSY',
  'EINTR',
]);

function coded(folder: string, error: unknown): unknown {
  if (!(error instanceof Error && 'code' in error) || error instanceof SpillwayError) return error;
  const retryable = passing.has(error.code);
  const message = `The register in ${folder} cannot be used: ${error.message}`;
  return new SpillwayError(retryable ? 'STORE_UNAVAILABLE' : 'STORE_REFUSED', message, { cause: error, retryable });
}

/** The folder is made if it is not there; the one that it is in has to be. On a local disk. */
export function fileRegister(folder: string): FencedRegister {
  if (typeof folder !== 'string' || folder === '') {
    throw invalid(`fileRegister: folder is ${shown(folder)}; expected the path of a folder.`);
  }
  return new Files(folder);
}
