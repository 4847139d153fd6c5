/**
 * Tells when the content of any of some files has changed, however it was changed: written in place, replaced by rename (as
 * editors and `mv` do), or by a symlink further up being switched (as Kubernetes mounts do).
 *
 * Folders are watched, not files: a watch on a file follows its inode, which a rename leaves behind. Both the folder a path is
 * in and the one its target is in are watched, and watched anew after each change. An event says only that something
 * may have happened; the truth is the digest of all contents, taken once things have been still for `SETTLE_MS`.
 * Where folders cannot be watched (no inotify left, some network mounts), the digest is taken every `POLL_MS` instead.
 *
 * Invariant: `onChange` is called only with a digest that differs from the last one, and never after `close`.
 */
import { createHash } from 'node:crypto';
import { watch, type FSWatcher } from 'node:fs';
import { readFile, realpath } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Clock, Timer } from '../../kernel/clock.ts';

/** An editor's save is several events within a few ms; a person does not notice a tenth of a second. */
const SETTLE_MS = 100;
const POLL_MS = 2_000;

export interface WatchFilesOptions {
  readonly clock: Clock;
  readonly onChange: () => void;
}

export class WatchFiles {
  readonly #options: WatchFilesOptions;
  #files: readonly string[] = [];
  #watchers = new Map<string, FSWatcher>();
  #digest: string | null = null;
  #settle: Timer | null = null;
  #poll: Timer | null = null;
  /** Only the newest look at the files counts. */
  #look = 0;
  #closed = false;

  constructor(options: WatchFilesOptions) {
    this.#options = options;
  }

  /** Watches these files from now on; what they hold now is what is known. Absolute paths. */
  async watch(files: readonly string[]): Promise<void> {
    this.#files = [...new Set(files)];
    const look = ++this.#look;
    await this.#watchFolders();
    const digest = await digestOf(this.#files);
    if (look === this.#look) this.#digest = digest;
  }

  close(): void {
    this.#closed = true;
    this.#look += 1;
    this.#settle?.clear();
    this.#poll?.clear();
    for (const watcher of this.#watchers.values()) watcher.close();
    this.#watchers.clear();
  }

  async #watchFolders(): Promise<void> {
    const targets = await Promise.all(this.#files.map((file) => realpath(file).catch(() => file)));
    if (this.#closed) return;
    const folders = new Set([...this.#files, ...targets].map((file) => dirname(file)));
    for (const [folder, watcher] of this.#watchers) {
      if (folders.has(folder)) continue;
      watcher.close();
      this.#watchers.delete(folder);
    }
    for (const folder of folders) if (!this.#watchers.has(folder)) this.#watchFolder(folder);
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
    const digest = await digestOf(this.#files);
    if (look !== this.#look || digest === this.#digest) return;
    this.#digest = digest;
    await this.#watchFolders();
    if (!this.#closed) this.#options.onChange();
  }
}

/** A file that cannot be read counts as one with other content, so its coming and going are changes too. */
async function digestOf(files: readonly string[]): Promise<string> {
  const contents = await Promise.all(files.map((file) => readFile(file).catch(() => null)));
  const hash = createHash('sha256');
  contents.forEach((content, index) => {
    hash.update(`${files[index]}\0${content === null ? 'unreadable' : content.length}\0`);
    if (content !== null) hash.update(content);
  });
  return hash.digest('base64');
}
