/**
 * A filter that stays in its file: a lookup reads the one block where the key's bits are, through the system's page cache. So a
 * process that starts needs no memory and no time for it, and any number of processes share one copy.
 *
 * One process may add at a time (kernel/file-claim.ts); all others see what it adds at once. Bits are only ever set and a block is
 * written by one call, so who reads beside a writer sees the block before or after, or some of its new bits.
 *
 * Before a chunk of the file is changed for the first time it is compared with its checksum: otherwise the new checksum would be that of
 * the damage as well. Lookups compare nothing but the header, unless all was compared when the file was opened (`verify`).
 *
 * What a crash leaves: if the process is killed, everything that was added. If the machine loses power, what was added before
 * the last `sync`. Before the first write the header says that the checksums lag behind; whoever adds next finds that and
 * makes them anew when it closes.
 * Cost: one `read` of 64 B a lookup, some microseconds from the page cache; adding reads and writes one, and the
 * first time in each MiB that whole.
 */
import { type FileHandle, open, stat } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { SpillwayError } from '../kernel/errors.ts';
import { checkKeys, invalid } from '../kernel/options.ts';
import { layoutOf, type LayoutName } from './bloom-filter.ts';
import type { StoredFilter } from './filter.ts';
import { claimFile, dropClaim, type FileClaim } from '../kernel/file-claim.ts';
import { atRest, chunksOf, type FileOptions, fileError, readAll, readHeader, writeAll } from './file-image.ts';
import { type FilterKey, type FilterKeys, hashKey, hashKeys, keyCount } from './filter-key.ts';
import { CHUNK_BYTES, damaged, encodeHeader, HEADER_BYTES, type ImageHeader, type StoredHeader } from './image.ts';
import type { Bits, Layout } from './layout.ts';

export interface FilterFile extends StoredFilter, AsyncDisposable {
  readonly kind: LayoutName;
  /** Brings what was added to the disk. Afterwards it outlives a power cut too. */
  sync(): Promise<void>;
  /** Ends it. Whoever added has the checksums made anew. Calling it twice is fine. */
  close(): Promise<void>;
}

/** Blocks that are read at the same time: enough to keep the threads busy that Node reads files with. */
const BATCH = 64;

class BlockFile implements FilterFile {
  readonly kind: LayoutName;
  readonly #path: string;
  readonly #handle: FileHandle;
  readonly #header: ImageHeader;
  readonly #layout: Layout;
  readonly #blockOf: (high: number, low: number, blocks: number) => number;
  readonly #blocks: number;
  readonly #claim: FileClaim | null;
  /** Chunks whose checksum lags behind. */
  readonly #stale = new Set<number>();
  /** What adds, one after another: a block is read, changed and written without another in between. */
  #turn: Promise<unknown> = Promise.resolve();
  #closed: Promise<void> | null = null;

  constructor(path: string, handle: FileHandle, header: StoredHeader, claim: FileClaim | null) {
    const { name, layout, blocks } = layoutOf(header);
    if (layout.blockOf === null) {
      throw invalid(`“${path}” is ${name}: a key's bits are all over the file. Load it, or make it anew as blocked.`);
    }
    this.kind = name;
    this.#path = path;
    this.#handle = handle;
    this.#header = header;
    this.#layout = layout;
    this.#blockOf = layout.blockOf;
    this.#blocks = blocks;
    this.#claim = claim;
    if (header.state === 'adding') for (const { chunk } of chunksOf(header.bodyBytes)) this.#stale.add(chunk);
  }

  get capacity(): number {
    return this.#header.capacity;
  }

  get falsePositiveRate(): number {
    return this.#header.falsePositiveRate;
  }

  async has(key: FilterKey): Promise<boolean> {
    const words = new Int32Array(2);
    hashKey(key, this.#header.seed, words);
    return this.#guard('read', async () => {
      const { bits } = await this.#read(this.#blockOf(words[0]!, words[1]!, this.#blocks));
      return bits.has(words[0]!, words[1]!);
    });
  }

  async hasMany(keys: FilterKeys): Promise<Uint8Array> {
    const found = new Uint8Array(keyCount(keys));
    await this.#eachBlock(keys, 'read', async (block, hashes, indexes) => {
      const { bits } = await this.#read(block);
      for (const index of indexes) if (bits.has(hashes[2 * index]!, hashes[2 * index + 1]!)) found[index] = 1;
    });
    return found;
  }

  async add(key: FilterKey): Promise<boolean> {
    return (await this.addMany([key])) === 1;
  }

  async addMany(keys: FilterKeys): Promise<number> {
    if (this.#claim === null)
      throw invalid(`“${this.#path}” was opened to look things up; open it with { add: true }.`);
    let fresh = 0;
    await this.#inTurn(() =>
      this.#eachBlock(keys, 'written', async (block, hashes, indexes) => {
        const { bits, bytes } = await this.#read(block);
        const before = fresh;
        for (const index of indexes) if (bits.add(hashes[2 * index]!, hashes[2 * index + 1]!)) fresh++;
        if (fresh > before) await writeAll(this.#handle, bytes, HEADER_BYTES + block * this.#layout.blockBytes);
      }),
    );
    return fresh;
  }

  /** Before blocks are changed: their chunks are as they were written, or already known to lag behind. */
  async #checkChunks(blocks: Iterable<number>): Promise<void> {
    for (const block of blocks) {
      const chunk = Math.floor((block * this.#layout.blockBytes) / CHUNK_BYTES);
      if (this.#stale.has(chunk)) continue;
      await this.#checkChunk(chunk);
      this.#stale.add(chunk);
    }
  }

  async #checkChunk(chunk: number): Promise<void> {
    const sum = new Uint8Array(4);
    await readAll(this.#handle, sum, this.#sumAt(chunk));
    if (new DataView(sum.buffer).getUint32(0, true) === (await this.#checksum(chunk))) return;
    throw damaged(`“${this.#path}” from byte ${HEADER_BYTES + chunk * CHUNK_BYTES} on is not as written`);
  }

  /** Compares all of the file with its checksums. */
  async verify(signal: AbortSignal | undefined): Promise<void> {
    for (const { chunk } of chunksOf(this.#header.bodyBytes)) {
      signal?.throwIfAborted();
      await this.#checkChunk(chunk);
    }
  }

  async #checksum(chunk: number): Promise<number> {
    const at = chunk * CHUNK_BYTES;
    const bytes = new Uint8Array(Math.min(CHUNK_BYTES, this.#header.bodyBytes - at));
    await readAll(this.#handle, bytes, HEADER_BYTES + at);
    return crc32(bytes);
  }

  #sumAt(chunk: number): number {
    return HEADER_BYTES + this.#header.bodyBytes + 4 * chunk;
  }

  sync(): Promise<void> {
    return this.#inTurn(() =>
      this.#guard('written', async () => {
        await this.#handle.sync();
        if (this.#claim !== null) await this.#checkPlace();
      }),
    );
  }

  close(): Promise<void> {
    this.#closed ??= this.#inTurn(async () => {
      try {
        if (this.#claim !== null) await this.#guard('written', () => this.#seal());
      } finally {
        await this.#handle.close();
        if (this.#claim !== null) await dropClaim(this.#claim);
      }
    });
    return this.#closed;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** Makes the checksums that lag behind, and then says in the header that none does. */
  async #seal(): Promise<void> {
    const sum = new DataView(new ArrayBuffer(4));
    for (const chunk of this.#stale) {
      sum.setUint32(0, await this.#checksum(chunk), true);
      await writeAll(this.#handle, new Uint8Array(sum.buffer), this.#sumAt(chunk));
    }
    await this.#handle.sync();
    await writeAll(this.#handle, encodeHeader(this.#header, 'sealed'), 0);
    await this.#handle.sync();
    await this.#checkPlace();
  }

  /** Refuses to call something kept that is in a file of which the name is gone: somebody renamed another over it. */
  async #checkPlace(): Promise<void> {
    const own = await this.#handle.stat({ bigint: true });
    const there = await stat(this.#path, { bigint: true }).catch(() => null);
    if (there?.ino === own.ino && there.dev === own.dev) return;
    throw new SpillwayError(
      'FILTER_FILE',
      `“${this.#path}” was replaced or removed while it was added to: what was added is not in the file of that name. Open it again and add again.`,
    );
  }

  async #read(block: number): Promise<{ bits: Bits; bytes: Uint8Array }> {
    const words = new Int32Array(this.#layout.blockBytes / 4);
    const bytes = new Uint8Array(words.buffer);
    await readAll(this.#handle, bytes, HEADER_BYTES + block * bytes.length);
    return { bits: this.#layout.open({ words, blocks: 1, probes: this.#header.probes, atomic: false }), bytes };
  }

  /** Calls `work` for each block that keys are in, with the keys of the batch that are there; many blocks at once. */
  async #eachBlock(
    keys: FilterKeys,
    what: 'read' | 'written',
    work: (block: number, hashes: Int32Array, indexes: readonly number[]) => Promise<void>,
  ): Promise<void> {
    const count = keyCount(keys);
    const hashes = new Int32Array(2 * count);
    hashKeys(keys, 0, count, this.#header.seed, hashes);
    for (let from = 0; from < count; from += BATCH) {
      const blocks = new Map<number, number[]>();
      for (let index = from; index < Math.min(from + BATCH, count); index++) {
        const block = this.#blockOf(hashes[2 * index]!, hashes[2 * index + 1]!, this.#blocks);
        const there = blocks.get(block);
        if (there === undefined) blocks.set(block, [index]);
        else there.push(index);
      }
      if (what === 'written') await this.#guard(what, () => this.#checkChunks(blocks.keys()));
      // All have ended before the next is begun, also when one failed: a block is never changed by two at once.
      const ends = await Promise.allSettled([...blocks].map(([block, indexes]) => work(block, hashes, indexes)));
      const failed = ends.find((end) => end.status === 'rejected');
      if (failed !== undefined) throw fileError(what, this.#path, failed.reason);
    }
  }

  /** Runs `work` after all that came before, whether that went well or not. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const own = this.#turn.then(work, work);
    this.#turn = own.catch(() => null);
    return own;
  }

  async #guard<T>(what: 'read' | 'written', work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw fileError(what, this.#path, error);
    }
  }
}

export interface FilterFileOptions extends FileOptions {
  /** To add as well, which one process at a time may do (`FILTER_BUSY`). @defaultValue false */
  readonly add?: boolean;
  /**
   * Reads the whole file first, about a millisecond for each MiB, and refuses it if it is damaged. A file that somebody adds to, or did when
   * the process ended, is refused too: its checksums lag behind. @defaultValue false: the header alone is looked at
   */
  readonly verify?: boolean;
}

/**
 * The filter in a file, without loading it.
 *
 * @example
 * await using taken = await openFilterFile('users.bloom');
 * if (!(await taken.has('ada'))) console.log('free');
 */
export async function openFilterFile(path: string, options: FilterFileOptions = {}): Promise<FilterFile> {
  checkKeys('openFilterFile', options, ['add', 'verify', 'signal']);
  const { add = false, verify = false, signal } = options;
  signal?.throwIfAborted();
  let claim: FileClaim | null = null;
  let handle: FileHandle | null = null;
  try {
    if (add) claim = await claimFile(path);
    handle = await open(path, add ? 'r+' : 'r');
    const header = await readHeader(handle);
    const filter = new BlockFile(path, handle, header, claim);
    if (verify) await atRest(path, handle, () => filter.verify(signal));
    if (add && header.state !== 'adding') {
      await writeAll(handle, encodeHeader(header, 'adding'), 0);
      await handle.sync();
    }
    return filter;
  } catch (error) {
    await handle?.close();
    if (claim !== null) await dropClaim(claim);
    throw fileError(add ? 'opened to add' : 'opened', path, error);
  }
}
