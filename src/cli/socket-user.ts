/**
 * Whose a unix socket is: for whoever is about to show a token there. Node does not tell whose process is at the other end of a connection
 * to it, and the socket that is at its path now may be another than the one that was there then. So its owner says who has answered only where
 * nobody else can put one in its place.
 *
 * Who is in the group of a directory that its group may write is trusted with it. Where there are no users nothing is told. Source:
 * path_resolution(7), the sticky bit in inode(7).
 */
import { lstatSync, realpathSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';

const OTHERS_WRITE = 0o002;
const STICKY = 0o1000;

/** `replaceable` by users other than root and `owner`; `unseen` if there is no socket that this user can see. */
export function socketUser(path: string, owner: number): number | 'replaceable' | 'unseen' | 'untold' {
  if (process.geteuid === undefined) return 'untold';
  try {
    const real = realpathSync(path);
    const found = lstatSync(real);
    if (!found.isSocket()) return 'unseen';
    // By the path as it is written, too: a link on it may lead elsewhere tomorrow.
    const areKept = [resolve(path), real].every((each) => isKept(each, (uid) => uid === 0 || uid === owner));
    return areKept ? found.uid : 'replaceable';
  } catch {
    return 'unseen';
  }
}

/** Each directory on the way is of trusted users, and lets no others put another thing in place of the next. */
function isKept(path: string, isTrusted: (uid: number) => boolean): boolean {
  const inside = (at: string): boolean => {
    const directory = statSync(dirname(at));
    if (!isTrusted(directory.uid)) return false;
    if ((directory.mode & OTHERS_WRITE) === 0) return true;
    // There they may not remove what is not theirs; but a socket is gone while nobody listens.
    return at !== path && (directory.mode & STICKY) !== 0 && isTrusted(lstatSync(at).uid);
  };
  for (let at = path; at !== dirname(at); at = dirname(at)) if (!inside(at)) return false;
  return true;
}
