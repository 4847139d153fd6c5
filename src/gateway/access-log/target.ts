/**
 * Opens what the access log is written to, so that no write to it can block a thread for good.
 *
 * A path is opened for append; if it names a pipe, without waiting for a reader. Standard output is shared with whoever
 * started us, so how it is written depends on what it is:
 * - a file: the descriptor itself, because another opening would have its own place in the file and overwrite;
 * - a pipe or terminal: opened anew and non-blocking, so that the flag is ours alone;
 * - a socket (a supervisor's, the journal's): cannot be opened anew; the descriptor itself, if it does not block. In a process
 *   that has used `process.stdout`, Node has seen to that.
 */
import fs from 'node:fs';

/** A pipe takes this much from several writers without mixing them (PIPE_BUF, POSIX). */
const PIPE_BUF = 4096;

const STDOUT = 1;

export interface Target {
  readonly fd: number;
  /** False for a descriptor that is not ours to close. */
  readonly owned: boolean;
  /** The most to write at once, always whole lines. */
  readonly writeBytesMax: number;
  /** Tells one file from another. */
  readonly identity: string;
}

const { O_WRONLY, O_APPEND, O_CREAT, O_NONBLOCK } = fs.constants;

/** Throws with the system's `code` if it cannot be opened. */
export function openTarget(target: string): Target {
  if (target !== 'stdout')
    return targetOf(fs.openSync(target, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK, 0o640), true);
  const stat = fs.fstatSync(STDOUT);
  if (stat.isFile()) return targetOf(STDOUT, false);
  if (!stat.isSocket()) return targetOf(fs.openSync('/dev/fd/1', O_WRONLY | O_APPEND | O_NONBLOCK), true);
  if (mayBlock(STDOUT)) {
    throw Object.assign(new Error('standard output is a socket that blocks; name a file'), { code: 'EWOULDBLOCK' });
  }
  return targetOf(STDOUT, false);
}

function targetOf(fd: number, owned: boolean): Target {
  const stat = fs.fstatSync(fd);
  const isStream = stat.isFIFO() || stat.isSocket();
  return {
    fd,
    owned,
    writeBytesMax: isStream ? PIPE_BUF : Number.POSITIVE_INFINITY,
    identity: `${stat.dev}:${stat.ino}`,
  };
}

/** The flags of a descriptor as the kernel tells them, in octal (proc(5), `fdinfo`). */
function mayBlock(fd: number): boolean {
  const flags = /^flags:\s*([0-7]+)/m.exec(fs.readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'))?.[1] ?? '0';
  return (Number.parseInt(flags, 8) & O_NONBLOCK) === 0;
}
