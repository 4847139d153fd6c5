/**
 * A file with the token that a gateway made for itself: mode 0600, of the user that reads it, whole or not there.
 *
 * Both ends read it, the gateway and whoever asks it on the command line, and both believe nothing else: not a link, not a file
 * that others own or may read, and no text that is not such a token, so that nobody who names a file gets to see another one.
 */
import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { link, mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Out of reach of every guess. */
const TOKEN_BYTES = 32;
const token = /^spillway_[A-Za-z0-9_-]{43}$/;
/** More than a token and a line's end. */
const FILE_BYTES_MAX = 256;
/** For its owner alone. */
const OTHERS = 0o077;

export type TokenFile =
  | { readonly kind: 'token'; readonly text: string; readonly uid: number }
  | { readonly kind: 'absent' }
  /** It is there and must not be believed; `reason` is a part of a sentence. */
  | { readonly kind: 'unfit'; readonly reason: string }
  /** It cannot be told what is there, with the system's word for why. */
  | { readonly kind: 'unreadable'; readonly code: string };

/** A token that a gateway made, as it knows it. */
export interface HeldToken {
  readonly text: string;
  /** Where it is kept, absolute; null: in memory alone. */
  readonly file: string | null;
}

/** By its beginning, scanners for secrets that were left somewhere know it. */
export function makeToken(): string {
  return `spillway_${randomBytes(TOKEN_BYTES).toString('base64url')}`;
}

/** Root may use what belongs to others; nobody else may. Where there are no users, whatever is there is one's own. */
function ownedHere(uid: number): boolean {
  const own = process.geteuid?.() ?? uid;
  return uid === own || own === 0;
}

/** Never throws. */
export async function readTokenFile(path: string): Promise<TokenFile> {
  // Not through a link, and without waiting for whoever writes into a pipe.
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  try {
    await using file = await open(path, flags);
    const stat = await file.stat();
    const { mode, size, uid } = stat;
    if (!stat.isFile() || size > FILE_BYTES_MAX) return { kind: 'unfit', reason: 'is no file with a token' };
    if (!ownedHere(uid)) return { kind: 'unfit', reason: 'belongs to another user' };
    if ((mode & OTHERS) !== 0) {
      return { kind: 'unfit', reason: `may be used by others (mode 0${(mode & 0o777).toString(8)}, not 0600)` };
    }
    const text = (await file.readFile('latin1')).trim();
    return token.test(text) ? { kind: 'token', text, uid } : { kind: 'unfit', reason: 'is no file with a token' };
  } catch (error) {
    const { code = 'unknown' } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return { kind: 'absent' };
    return code === 'ELOOP' ? { kind: 'unfit', reason: 'is a link' } : { kind: 'unreadable', code };
  }
}

/**
 * Writes the token under a name of its own first, so that nobody reads half of it. Without `replace`, a file that another
 * gateway has made meanwhile stays. Throws the system's error, and then nothing is left.
 */
export async function writeTokenFile(path: string, text: string, { replace }: { replace: boolean }): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const made = `${path}.${randomBytes(6).toString('hex')}`;
  try {
    {
      await using file = await open(made, 'wx', 0o600);
      await file.writeFile(`${text}\n`);
      await file.sync();
    }
    if (replace) await rename(made, path);
    else await link(made, path).catch(unlessThere);
  } finally {
    await rm(made, { force: true });
  }
}

function unlessThere(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EEXIST') throw error;
}
