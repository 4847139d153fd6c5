/**
 * A ledger on disk: a line of JSON for each entry, appended, and on the disk (`fdatasync`) before anybody is told that it is.
 *
 * Invariants: what was acknowledged is there after a crash. A line that a crash cut off was never acknowledged, and is cut away
 * when the file is opened; so is what a full disk left of one. A line that is damaged otherwise is left where it is, skipped and
 * told, and then the file is never made anew. Two processes may append to one file, as a new one does while the old one drains:
 * each knows what it read at its start and what it wrote. When one makes the file anew it reads it first, and the other goes
 * on in the new one; what the other writes in the moment between may be lost.
 */
import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { type FileHandle, open, rename, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { SpillwayError } from '../../../kernel/errors.ts';
import { formatEntry, type LedgerEntry, parseEntry } from './entry.ts';

/** Some 40,000 entries; a year of bad days. What is larger is not a ledger of ours. */
const FILE_BYTES_MAX = 16 * 2 ** 20;

export interface OpenedLedger {
  readonly file: LedgerFile;
  readonly entries: readonly LedgerEntry[];
  /** `ledger.ndjson:12: it is not JSON, or was cut off`. */
  readonly damaged: readonly string[];
}

export class LedgerFile {
  readonly #path: string;
  #handle: FileHandle;
  /** Something of a failed write may stand after this. */
  #soundBytes: number | null = null;

  private constructor(path: string, handle: FileHandle) {
    this.#path = path;
    this.#handle = handle;
  }

  /** Makes it, and its folder, if it is not there. Throws `LEDGER_FILE`. */
  static async open(path: string): Promise<OpenedLedger> {
    try {
      mkdirSync(dirname(path), { recursive: true });
      const handle = await open(path, 'a+', 0o600);
      try {
        return { file: new LedgerFile(path, handle), ...(await read(path, handle)) };
      } catch (error) {
        await handle.close();
        throw error;
      }
    } catch (error) {
      throw failed(path, 'opened', error);
    }
  }

  /** Resolves when they are on the disk. Throws `LEDGER_FILE`, and then none of them is. */
  async append(entries: readonly LedgerEntry[]): Promise<void> {
    try {
      await this.#follow();
      if (this.#soundBytes !== null) await this.#handle.truncate(this.#soundBytes);
      this.#soundBytes = (await this.#handle.stat()).size;
      if (this.#soundBytes > FILE_BYTES_MAX) throw new Error('it is larger than 16 MB');
      await this.#handle.appendFile(entries.map(formatEntry).join(''));
      await this.#handle.datasync();
      this.#soundBytes = null;
    } catch (error) {
      throw failed(this.#path, 'written', error);
    }
  }

  /** Makes it anew with what is kept of its entries: as a whole, or not at all. Throws `LEDGER_FILE`. */
  async replace(keep: (entries: readonly LedgerEntry[]) => readonly LedgerEntry[]): Promise<void> {
    const aside = `${this.#path}.${randomBytes(4).toString('hex')}.new`;
    try {
      const { entries: all, damaged } = await read(this.#path, this.#handle);
      if (damaged.length > 0) throw new Error(`it is damaged (${damaged[0]})`);
      const entries = keep(all);
      const handle = await open(aside, 'ax+', 0o600);
      await handle.appendFile(entries.map(formatEntry).join(''));
      await handle.datasync();
      await rename(aside, this.#path);
      await this.#handle.close();
      this.#handle = handle;
      this.#soundBytes = null;
    } catch (error) {
      throw failed(this.#path, 'made anew', error);
    }
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }

  /** Somebody else may have made it anew, or taken it away. */
  async #follow(): Promise<void> {
    const [own, there] = await Promise.all([this.#handle.stat(), stat(this.#path).catch(() => null)]);
    if (there?.ino === own.ino && there.dev === own.dev) return;
    const handle = await open(this.#path, 'a+', 0o600);
    await this.#handle.close();
    this.#handle = handle;
    this.#soundBytes = null;
  }
}

async function read(path: string, handle: FileHandle): Promise<Omit<OpenedLedger, 'file'>> {
  const { size } = await handle.stat();
  if (size > FILE_BYTES_MAX) throw new Error('it is larger than 16 MB, and no ledger');
  const bytes = Buffer.alloc(size);
  let length = 0;
  for (let got = -1; got !== 0 && length < size; length += got) {
    got = (await handle.read(bytes, length, size - length, length)).bytesRead;
  }
  const whole = bytes.subarray(0, length).lastIndexOf(0x0a) + 1;
  if (whole < length) await handle.truncate(whole);
  const entries: LedgerEntry[] = [];
  const damaged: string[] = [];
  for (const [at, line] of bytes.toString('utf8', 0, whole).split('\n').slice(0, -1).entries()) {
    const entry = parseEntry(line);
    if (typeof entry === 'string') damaged.push(`${path}:${at + 1}: ${entry}`);
    else entries.push(entry);
  }
  return { entries, damaged };
}

function failed(path: string, what: string, error: unknown): SpillwayError {
  if (error instanceof SpillwayError) return error;
  const reason = (error as NodeJS.ErrnoException).code ?? (error instanceof Error ? error.message : String(error));
  return new SpillwayError('LEDGER_FILE', `The ledger ${path} could not be ${what}: ${reason}.`, {
    cause: error,
    retryable: true,
  });
}
