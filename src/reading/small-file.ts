/** Small files that a person names: read whole and bounded, and why not, in words. */
import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';

/** A bundle of every public authority is 250 kB, a config of 10,000 services 1 MB. */
const FILE_BYTES_MAX = 2 ** 20;

export type FileText =
  | { readonly ok: true; readonly text: string; readonly mode: number }
  | { readonly ok: false; readonly reason: string };

/** Reads a small regular file whole. Never blocks on a pipe or a device. */
export function readSmallFile(path: string): FileText {
  let descriptor: number | null = null;
  try {
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const { mode, size } = fstatSync(descriptor);
    if ((mode & constants.S_IFMT) !== constants.S_IFREG) return { ok: false, reason: 'is not a file' };
    if (size > FILE_BYTES_MAX) return { ok: false, reason: 'is larger than 1 MB' };
    const bytes = Buffer.alloc(size + 1);
    let length = 0;
    for (let read = -1; read !== 0 && length < bytes.length; length += read) {
      read = readSync(descriptor, bytes, length, bytes.length - length, null);
    }
    return { ok: true, text: bytes.toString('utf8', 0, length), mode: mode & 0o777 };
  } catch (error) {
    return { ok: false, reason: reasonOf(error) };
  } finally {
    if (descriptor !== null) closeSync(descriptor);
  }
}

/** Why a file could not be opened, in words. */
export function reasonOf(error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code;
  if (code === 'ENOENT' || code === 'ENOTDIR') return 'does not exist';
  if (code === 'EACCES' || code === 'EPERM') return 'may not be read by this user';
  if (code === 'EISDIR') return 'is a folder';
  return `cannot be read (${code ?? 'unknown reason'})`;
}
