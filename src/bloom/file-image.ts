/**
 * Images in files: written whole or not at all, read whole or refused.
 *
 * A file is written beside the one it replaces, brought to the disk and then renamed; a process that is killed, or a machine that
 * loses power, leaves the old file or the new one. Each piece that is written is copied first, so that its checksum is that of
 * what is written even if others add meanwhile.
 * Cost: one pass, 1 MiB at a time: no call reads or writes 2 GiB, and the event loop waits about 1 ms at most.
 */
import { type FileHandle, open, rename, stat } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import { isCoded, SpillwayError } from '../kernel/errors.ts';
import { checkKeys, checkParts, textOfGiven } from '../kernel/options.ts';
import { claimFile, dropClaim } from '../kernel/file-claim.ts';
import { syncFolder } from '../kernel/sync-folder.ts';
import {
  CHUNK_BYTES,
  checksumBytes,
  createImage,
  damaged,
  decodeHeader,
  encodeHeader,
  HEADER_BYTES,
  type Image,
  openImage,
  type StoredHeader,
} from './image.ts';

export interface FileOptions {
  /** Ends it early; the file is then as it was. */
  readonly signal?: AbortSignal;
}

export interface LoadOptions extends FileOptions {
  /** Loads into shared memory, which other threads open; any may add. @defaultValue false */
  readonly shared?: boolean;
}

/** An error of the file system as one that names the file. */
export function fileError(what: string, path: unknown, cause: unknown): unknown {
  if (cause instanceof SpillwayError || (cause as Error).name === 'AbortError') return cause;
  return new SpillwayError('FILTER_FILE', `“${textOfGiven(path)}” could not be ${what}: ${(cause as Error).message}`, {
    cause,
  });
}

/** Writes all of `bytes`; one write may take only a part. */
export async function writeAll(handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    const { bytesWritten } = await handle.write(bytes, at, bytes.length - at, position + at);
    at += bytesWritten;
  }
}

/** Fills `bytes` from the file; an end before that is damage. */
export async function readAll(handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    const { bytesRead } = await handle.read(bytes, at, bytes.length - at, position + at);
    if (bytesRead === 0) throw damaged(`it ends after ${position + at} bytes`);
    at += bytesRead;
  }
}

/** The chunks of a body: where each begins and how long it is. */
export function* chunksOf(bodyBytes: number): Generator<{ chunk: number; at: number; size: number }> {
  for (let chunk = 0, at = 0; at < bodyBytes; chunk++, at += CHUNK_BYTES) {
    yield { chunk, at, size: Math.min(CHUNK_BYTES, bodyBytes - at) };
  }
}

/**
 * Writes a filter to a file, in place of one that is there: afterwards the file is the new one, and after a crash the old or the
 * new one. What is added meanwhile may be in it or not. Who may read the old one may read the new one; a link stays a link, and what is no
 * file, such as `/dev/null`, is not replaced.
 */
export async function saveFilter(
  filter: { readonly memory: ArrayBufferLike },
  path: string,
  options: FileOptions = {},
): Promise<void> {
  checkKeys('saveFilter', options, ['signal']);
  const { signal } = options;
  signal?.throwIfAborted();
  checkParts('saveFilter: the filter', filter, 'one in memory', []);
  const { header, body } = stillImage(filter.memory);
  try {
    const claim = await claimFile(path);
    try {
      const { handle, target } = claim;
      const old = await stat(target).catch(() => null);
      if (old?.isFile() === false) throw new Error('what is there is no file');
      if (old !== null) await handle.chmod(old.mode & 0o777);
      await writeAll(handle, encodeHeader(header, 'sealed'), 0);
      const sums = new DataView(new ArrayBuffer(checksumBytes(body.length)));
      const copy = new Uint8Array(CHUNK_BYTES);
      for (const { chunk, at, size } of chunksOf(body.length)) {
        signal?.throwIfAborted();
        const bytes = copy.subarray(0, size);
        bytes.set(body.subarray(at, at + size));
        sums.setUint32(4 * chunk, crc32(bytes), true);
        await writeAll(handle, bytes, HEADER_BYTES + at);
      }
      await writeAll(handle, new Uint8Array(sums.buffer), HEADER_BYTES + body.length);
      await handle.sync();
      await rename(claim.path, target);
      await syncFolder(target);
    } finally {
      await dropClaim(claim);
    }
  } catch (error) {
    throw fileError('written', path, error);
  }
}

/**
 * What is written piece by piece while others add. Where an added key moves older ones, one of those might go from a piece that is
 * yet to be written to one that was, and be in neither: that is copied at once.
 */
function stillImage(memory: ArrayBufferLike): Image {
  const image = openImage(memory);
  return image.header.kind === 'cuckoo' ? openImage(memory.slice(0)) : image;
}

/** The header of an open file, checked against its size. */
export async function readHeader(handle: FileHandle): Promise<StoredHeader> {
  const { size } = await handle.stat();
  const bytes = new Uint8Array(Math.min(HEADER_BYTES, size));
  await readAll(handle, bytes, 0);
  const header = decodeHeader(bytes, size);
  if (header.state === 'living') throw damaged('it was copied out of memory without checksums');
  return header;
}

function busy(path: string, cause?: unknown): SpillwayError {
  return new SpillwayError(
    'FILTER_BUSY',
    `“${path}” is being added to, or was when a process ended: its checksums lag behind. Look things up with openFilterFile, or open it there to add and close it.`,
    { retryable: true, cause },
  );
}

/**
 * Compares a file with its checksums, or refuses it if they are not those of its bytes. What does not agree because somebody has begun to add
 * since is no damage.
 */
export async function atRest<T>(
  path: string,
  handle: FileHandle,
  compare: (header: StoredHeader) => Promise<T>,
): Promise<T> {
  const written = await handle.stat({ bigint: true });
  const header = await readHeader(handle);
  if (header.state === 'adding') throw busy(path);
  try {
    return await compare(header);
  } catch (error) {
    if (!isCoded(error, 'FILTER_DAMAGED')) throw error;
    const { mtimeNs } = await handle.stat({ bigint: true });
    throw mtimeNs === written.mtimeNs ? error : busy(path, error);
  }
}

/** Reads the image of a file into memory. One that was changed or cut is refused, and so is one that is being added to. */
export async function readImage(path: string, options: LoadOptions = {}): Promise<Image> {
  checkKeys('loadFilter', options, ['shared', 'signal']);
  const { shared = false, signal } = options;
  signal?.throwIfAborted();
  try {
    await using handle = await open(path, 'r');
    return await atRest(path, handle, async (header) => {
      const image = createImage(header, shared);
      const sums = new Uint8Array(checksumBytes(header.bodyBytes));
      await readAll(handle, sums, HEADER_BYTES + header.bodyBytes);
      const view = new DataView(sums.buffer);
      const bytes = new Uint8Array(CHUNK_BYTES);
      for (const { chunk, at, size } of chunksOf(header.bodyBytes)) {
        signal?.throwIfAborted();
        const part = bytes.subarray(0, size);
        await readAll(handle, part, HEADER_BYTES + at);
        if (crc32(part) !== view.getUint32(4 * chunk, true)) {
          throw damaged(`“${path}” from byte ${HEADER_BYTES + at} on is not as written`);
        }
        image.body.set(part, at);
      }
      return image;
    });
  } catch (error) {
    throw fileError('read', path, error);
  }
}
