/**
 * Opens what log lines are written to, so that no write to it can block a thread for good.
 *
 * A path is opened for append; if it names a pipe, without waiting for a reader. Standard output and standard error are shared with
 * whoever started us, so how they are written depends on what they are:
 * - a file: the descriptor itself, because another opening would have its own place in the file and overwrite;
 * - a pipe or terminal: opened anew and non-blocking, so that the flag is ours alone;
 * - a socket (a supervisor's, the journal's): cannot be opened anew; the descriptor itself, once Node has seen to it that it does not
 *   block, which it does for `process.stdout` and `stderr` in the main thread. Threads that log there before that have no lines.
 */
import fs from 'node:fs';

/** A pipe takes this much from several writers without mixing them (PIPE_BUF, POSIX). */
const PIPE_BUF = 4096;

const standard: ReadonlyMap<string, number> = new Map([
  ['stdout', 1],
  ['stderr', 2],
]);

export interface Target {
  readonly fd: number;
  /** False for a descriptor that is not ours to close. */
  readonly owned: boolean;
  /** Only a file makes a write wait; all else is opened so that it says EAGAIN. */
  readonly isFile: boolean;
  /** The most to write at once, always whole lines. */
  readonly writeBytesMax: number;
  /** Tells one file from another. */
  readonly identity: string;
}

const { O_WRONLY, O_APPEND, O_CREAT, O_NONBLOCK } = fs.constants;

/** Throws with the system's `code` if it cannot be opened. */
export function openTarget(target: string): Target {
  const fd = standard.get(target);
  if (fd === undefined) return targetOf(fs.openSync(target, O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK, 0o640), true);
  const stat = fs.fstatSync(fd);
  if (stat.isFile()) return targetOf(fd, false);
  if (!stat.isSocket()) return targetOf(fs.openSync(`/dev/fd/${fd}`, O_WRONLY | O_APPEND | O_NONBLOCK), true);
  // Node sees to it that a standard stream does not block when it is first asked for, in the main thread.
  if (mayBlock(fd)) void (target === 'stdout' ? process.stdout : process.stderr);
  if (mayBlock(fd)) {
    throw Object.assign(new Error(`${target} is a socket that blocks; name a file`), { code: 'EWOULDBLOCK' });
  }
  return targetOf(fd, false);
}

/** A line on standard error, if that takes it at once: whoever has trouble with a full pipe is not held up by another. */
export function tellStderr(_level: string, message: string): void {
  try {
    const { fd, owned } = openTarget('stderr');
    try {
      fs.writeSync(fd, `${message}\n`);
    } finally {
      if (owned) fs.closeSync(fd);
    }
  } catch {
    // Nobody is there to be told.
  }
}

function targetOf(fd: number, owned: boolean): Target {
  const stat = fs.fstatSync(fd);
  const isStream = stat.isFIFO() || stat.isSocket();
  return {
    fd,
    owned,
    isFile: stat.isFile(),
    writeBytesMax: isStream ? PIPE_BUF : Number.POSITIVE_INFINITY,
    identity: `${stat.dev}:${stat.ino}`,
  };
}

function mayBlock(fd: number): boolean {
  return (Number.parseInt(infoOf(fd, 'flags') ?? '0', 8) & O_NONBLOCK) === 0;
}

/**
 * Whether `bytes` are the last that were written to a file through this descriptor, by any thread. True where that cannot be found out,
 * since there is nothing to wait for.
 */
export function wasWritten(fd: number, bytes: Buffer): boolean {
  try {
    const end = Number(infoOf(fd, 'pos'));
    const last = Buffer.alloc(bytes.length);
    const file = fs.openSync(`/proc/self/fd/${fd}`, 'r');
    fs.readSync(file, last, 0, last.length, Math.max(0, end - last.length));
    fs.closeSync(file);
    return last.equals(bytes);
  } catch {
    return true;
  }
}

/** What the kernel says of a descriptor (proc(5), `fdinfo`); flags are octal. */
function infoOf(fd: number, key: 'flags' | 'pos'): string | undefined {
  return new RegExp(`^${key}:\\s*(\\d+)`, 'm').exec(fs.readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'))?.[1];
}
