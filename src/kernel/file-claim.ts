/**
 * Who may write to a file: one at a time, among all threads and processes of a machine.
 *
 * A claim is a file beside the one it is about, links followed, whose name says whose it is: `users.bloom.writer.HOST.PID.START.RANDOM`. Whoever
 * wants to write creates one and then looks for others; if another lives, it takes its own back. Two who come at once see
 * each other and may both be refused, but never both be let in: of two claims the later one is made before it looks.
 * What a process left behind that was killed is removed by the next: that no such process runs any more, or one that was
 * started at another moment, is known of this machine only. A claim from another machine counts as alive.
 * Machines are told apart by their host names: containers that share a volume need one each, as they have unless somebody set it.
 */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { type FileHandle, open, readdir, realpath, unlink } from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { type ErrorCode, SpillwayError } from './errors.ts';

export interface FileClaim {
  /** The file it is about, links followed: two names of one file are one claim. */
  readonly target: string;
  /** The claim's own file, open for writing: what becomes the new file is written there. */
  readonly path: string;
  readonly handle: FileHandle;
}

/** When a process was started, in ticks since the machine was; '0' where that cannot be asked. */
function startOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    // Behind the name, which is in parentheses and may hold anything, the 20th field.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '0';
  } catch {
    return '0';
  }
}

function isAlive(host: string, pid: number, start: string): boolean {
  if (host !== hostname()) return true;
  try {
    process.kill(pid, 0);
  } catch (error) {
    // Any other answer is that of a process which may not be signalled.
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
  }
  return startOf(pid) === start;
}

/** The one claim to write to `path`. Refused with `code` while another lives. */
export async function claimFile(path: string, code: ErrorCode = 'FILTER_BUSY'): Promise<FileClaim> {
  const target = await followLinks(path);
  const folder = dirname(target);
  const prefix = `${basename(target)}.writer.`;
  const own = `${prefix}${hostname()}.${process.pid}.${startOf(process.pid)}.${randomBytes(6).toString('hex')}`;
  const claim = { target, path: join(folder, own), handle: await open(join(folder, own), 'wx+') };
  try {
    for (const name of await readdir(folder)) {
      if (!name.startsWith(prefix) || name === own) continue;
      const [pid = '', start = '', random] = name.slice(prefix.length).split('.').slice(-3);
      const host = name.slice(prefix.length, -`.${pid}.${start}.${random}`.length);
      if (isAlive(host, Number(pid), start)) {
        throw new SpillwayError(
          code,
          `“${path}” is being written by process ${pid} on ${host}. If there is none such, remove “${join(folder, name)}”.`,
          { retryable: true },
        );
      }
      await removeIfThere(join(folder, name));
    }
    return claim;
  } catch (error) {
    await dropClaim(claim);
    throw error;
  }
}

async function followLinks(path: string): Promise<string> {
  try {
    return await realpath(path);
  } catch (error) {
    // It is yet to be written.
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return path;
    throw error;
  }
}

/** Gives the claim up and removes its file. */
export async function dropClaim({ handle, path }: FileClaim): Promise<void> {
  await handle.close();
  await removeIfThere(path);
}

async function removeIfThere(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}
