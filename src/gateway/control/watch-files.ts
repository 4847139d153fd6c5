/**
 * Tells when the content of any of some files has changed, however it was changed: written in place, replaced by rename (as
 * editors and `mv` do), or by a symlink further up being switched (as Kubernetes mounts do).
 *
 * Folders are watched, not files: a watch on a file follows its inode, which a rename leaves behind. The folder a path is in, the
 * one its target is in, and those of all links on the way are watched, and watched anew after each change. An event says only that something
 * may have happened; the truth is the digest of each content, taken once things have been still for `SETTLE_MS`.
 * Where folders cannot be watched (no inotify left, some network mounts), digests are taken every `POLL_MS` instead.
 *
 * Invariants: a change between two looks is never lost, because the digest that counts as known is always one that was
 * taken before whoever is told reads the file; `onChange` is never called after `close`.
 */
import { createHash } from 'node:crypto';
import { watch, type FSWatcher } from 'node:fs';
import { readFile, readlink } from 'node:fs/promises';
import { dirname, join, parse, resolve, sep } from 'node:path';
import type { Clock, Timer } from '../../kernel/clock.ts';

/** An editor's save is several events within a few ms; a person does not notice a tenth of a second. */
const SETTLE_MS = 100;
const POLL_MS = 2_000;
/** What Linux follows (path_resolution(7)). */
const LINKS_MAX = 40;

export interface WatchFilesOptions {
  readonly clock: Clock;
  readonly onChange: () => void;
}

export class WatchFiles {
  readonly #options: WatchFilesOptions;
  /** The files, each with the digest that is known. */
  #known = new Map<string, string>();
  #watchers = new Map<string, FSWatcher>();
  #settle: Timer | null = null;
  #poll: Timer | null = null;
  /** Only the newest look at the files counts. */
  #look = 0;
  #closed = false;

  constructor(options: WatchFilesOptions) {
    this.#options = options;
  }

  /**
   * Watches these files from now on, absolute paths. Of one that was watched before, what was known stays known; what a new
   * one holds now is.
   */
  async watch(files: readonly string[]): Promise<void> {
    const look = ++this.#look;
    const fresh = await digestsOf(files.filter((file) => !this.#known.has(file)));
    if (look !== this.#look) return;
    this.#known = new Map(files.map((file) => [file, this.#known.get(file) ?? fresh.get(file) ?? '']));
    await this.#watchFolders();
  }

  close(): void {
    this.#closed = true;
    this.#look += 1;
    this.#settle?.clear();
    this.#poll?.clear();
    this.#unwatch();
  }

  #unwatch(): void {
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
  }

  async #watchFolders(): Promise<void> {
    const folders = new Set((await Promise.all([...this.#known.keys()].map(foldersOf))).flat());
    if (this.#closed) return;
    // All anew: a watch follows the folder that once had the name.
    this.#unwatch();
    for (const folder of folders) this.#watchFolder(folder);
    // Something may have changed before its folder was watched.
    this.#soon();
  }

  #watchFolder(folder: string): void {
    try {
      const watcher = watch(folder, { persistent: false }, () => this.#soon());
      watcher.on('error', () => {
        watcher.close();
        this.#watchers.delete(folder);
        this.#pollInstead();
      });
      this.#watchers.set(folder, watcher);
    } catch {
      this.#pollInstead();
    }
  }

  #pollInstead(): void {
    if (!this.#closed) this.#poll ??= this.#options.clock.every(POLL_MS, () => void this.#check());
  }

  #soon(): void {
    if (this.#closed) return;
    this.#settle?.clear();
    this.#settle = this.#options.clock.after(SETTLE_MS, () => void this.#check());
  }

  async #check(): Promise<void> {
    const look = ++this.#look;
    const digests = await digestsOf([...this.#known.keys()]);
    if (look !== this.#look) return;
    const changed = [...digests].some(([file, digest]) => this.#known.get(file) !== digest);
    if (!changed) return;
    this.#known = digests;
    await this.#watchFolders();
    if (!this.#closed) this.#options.onChange();
  }
}

/** Where something can happen that makes `file`, an absolute path, another file. */
async function foldersOf(file: string): Promise<string[]> {
  const folders = [dirname(file)];
  let path = file;
  for (let links = 0; links < LINKS_MAX; links++) {
    const link = await firstLink(path);
    if (link === null) break;
    folders.push(dirname(link.at));
    path = link.leadsTo;
  }
  return [...folders, dirname(path)];
}

/** The first part of `path` that is a link, and what `path` is with its target in its place. */
async function firstLink(path: string): Promise<{ readonly at: string; readonly leadsTo: string } | null> {
  const { root } = parse(path);
  const parts = path.slice(root.length).split(sep);
  let at = root;
  for (const [index, part] of parts.entries()) {
    at = join(at, part);
    const target = await readlink(at).catch(() => null);
    if (target !== null) return { at, leadsTo: resolve(dirname(at), target, ...parts.slice(index + 1)) };
  }
  return null;
}

/** A file that cannot be read counts as one with other content, and each reason as another: coming and going are changes too. */
async function digestsOf(files: readonly string[]): Promise<Map<string, string>> {
  const digests = files.map(async (file): Promise<[string, string]> => {
    const digest = await readFile(file).then(
      (content) => createHash('sha256').update(content).digest('base64'),
      (error: NodeJS.ErrnoException) => `unreadable: ${error.code}`,
    );
    return [file, digest];
  });
  return new Map(await Promise.all(digests));
}
