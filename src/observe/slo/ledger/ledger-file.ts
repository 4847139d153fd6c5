/**
 * A ledger on disk: a line of JSON for each entry, appended, and on the disk (`fdatasync`) before anybody is told that it is.
 *
 * Invariants: what was acknowledged is there after a crash, whoever else writes. So nothing is ever cut away: of an entry that a crash or a full
 * disk cut off, which nobody was told of, the part stays where it is, and the next entry comes behind it in the same line, or
 * nothing does. A line that is damaged otherwise is skipped and told, and then the file is never made anew.
 *
 * Two processes may write one file, as a new one does while the old one drains: each knows what it read at its start and what it wrote. One
 * that makes the file anew takes along what the other wrote meanwhile, and the other sees that it did; only if both do it within the same
 * instant can an entry be lost.
 */
import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { type FileHandle, open, rename, stat, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { SpillwayError } from '../../../kernel/errors.ts';
import { syncFolder } from '../../../kernel/sync-folder.ts';
import { ENTRY_START, formatEntry, type LedgerEntry, parseEntry } from './entry.ts';

/** Some 40,000 entries; a year of bad days. What is larger is not a ledger of ours. */
const FILE_BYTES_MAX = 16 * 2 ** 20;

interface LedgerLines {
  readonly entries: readonly LedgerEntry[];
  /** `ledger.ndjson:12: it is not JSON, or was cut off`. */
  readonly damaged: readonly string[];
  /** Up to the end of the last whole line. */
  readonly bytes: number;
}

export interface OpenedLedger extends Pick<LedgerLines, 'entries' | 'damaged'> {
  readonly file: LedgerFile;
}

export class LedgerFile {
  readonly #path: string;
  #handle: FileHandle;

  private constructor(path: string, handle: FileHandle) {
    this.#path = path;
    this.#handle = handle;
  }

  /** Makes it, and its folder, if it is not there. Throws `LEDGER_FILE`. */
  static async open(path: string): Promise<OpenedLedger> {
    try {
      mkdirSync(dirname(path), { recursive: true });
      const handle = await openNamed(path);
      try {
        const { entries, damaged } = await read(path, handle);
        return { file: new LedgerFile(path, handle), entries, damaged };
      } catch (error) {
        await handle.close();
        throw error;
      }
    } catch (error) {
      throw failed(path, 'opened', error);
    }
  }

  /** Resolves when it is on the disk. Throws `LEDGER_FILE`; then it is not there, unless it was the disk's last step that failed. */
  async append(entry: LedgerEntry): Promise<void> {
    const line = Buffer.from(formatEntry(entry));
    try {
      do {
        if (!(await this.#isCurrent())) await this.#follow();
        if ((await this.#handle.stat()).size > FILE_BYTES_MAX) throw new Error('it is larger than 16 MB');
        // In one go, so that what others write comes before or after it.
        const { bytesWritten } = await this.#handle.write(line);
        if (bytesWritten < line.length) throw new Error('only a part of the entry was taken; the disk may be full');
        await this.#handle.datasync();
        // If it was made anew meanwhile, by somebody who may not have seen this.
      } while (!(await this.#isCurrent()));
    } catch (error) {
      throw failed(this.#path, 'written', error);
    }
  }

  /** Makes it anew with what is kept of its entries: as a whole, or not at all. Throws `LEDGER_FILE`. */
  async replace(keep: (entries: readonly LedgerEntry[]) => readonly LedgerEntry[]): Promise<void> {
    const aside = `${this.#path}.${randomBytes(4).toString('hex')}.new`;
    let handle: FileHandle | null = null;
    try {
      const { entries, damaged, bytes } = await read(this.#path, this.#handle);
      if (damaged.length > 0) throw new Error(`it is damaged (${damaged[0]})`);
      handle = await open(aside, 'ax+', 0o600);
      await handle.appendFile(keep(entries).map(formatEntry).join(''));
      await handle.datasync();
      if (!(await this.#isCurrent())) throw new Error('another process did it');
      await rename(aside, this.#path);
      await syncFolder(this.#path);
      // Who writes from now on sees that the old one is no longer it.
      await handle.appendFile(await wholeLines(this.#handle, bytes));
      await handle.datasync();
    } catch (error) {
      await handle?.close();
      // Unless it has its name already.
      await unlink(aside).catch(() => {});
      throw failed(this.#path, 'made anew', error);
    }
    await this.#handle.close();
    this.#handle = handle;
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }

  /** Somebody else may have made it anew, or taken it away. */
  async #isCurrent(): Promise<boolean> {
    const [own, there] = await Promise.all([this.#handle.stat(), stat(this.#path).catch(() => null)]);
    return there?.ino === own.ino && there.dev === own.dev;
  }

  async #follow(): Promise<void> {
    const handle = await openNamed(this.#path);
    await this.#handle.close();
    this.#handle = handle;
  }
}

/** It may be new, or have its name from another process: without the folder on the disk a power cut takes the name back. */
async function openNamed(path: string): Promise<FileHandle> {
  const handle = await open(path, 'a+', 0o600);
  try {
    await syncFolder(path);
    return handle;
  } catch (error) {
    await handle.close();
    throw error;
  }
}

async function read(path: string, handle: FileHandle): Promise<LedgerLines> {
  const bytes = await wholeLines(handle, 0);
  const entries = new Map<string, LedgerEntry>();
  const damaged: string[] = [];
  for (const [at, line] of bytes.toString('utf8').split('\n').slice(0, -1).entries()) {
    // Behind what was cut off.
    const entry = parseEntry(line.slice(Math.max(0, line.lastIndexOf(ENTRY_START))));
    if (typeof entry === 'string') damaged.push(`${path}:${at + 1}: ${entry}`);
    // One that was written while the file was made anew may stand in it twice.
    else entries.set(entry.id, entry);
  }
  return { entries: [...entries.values()], damaged, bytes: bytes.length };
}

/** Of the file, from there to its end. */
async function wholeLines(handle: FileHandle, from: number): Promise<Buffer> {
  const { size } = await handle.stat();
  if (size > FILE_BYTES_MAX) throw new Error('it is larger than 16 MB, and no ledger');
  const bytes = Buffer.alloc(Math.max(0, size - from));
  let length = 0;
  for (let got = -1; got !== 0 && length < bytes.length; length += got) {
    got = (await handle.read(bytes, length, bytes.length - length, from + length)).bytesRead;
  }
  return bytes.subarray(0, bytes.subarray(0, length).lastIndexOf(0x0a) + 1);
}

function failed(path: string, what: string, error: unknown): SpillwayError {
  if (error instanceof SpillwayError) return error;
  const reason = (error as NodeJS.ErrnoException).code ?? (error instanceof Error ? error.message : String(error));
  return new SpillwayError('LEDGER_FILE', `The ledger ${path} could not be ${what}: ${reason}.`, {
    cause: error,
    retryable: true,
  });
}
