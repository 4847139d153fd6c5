/**
 * Which process listens on a TCP port, for the message that says the port is taken. Linux only, read from /proc: other systems give
 * null, and so do processes of other users (unless asked by root).
 *
 * Runs once, on the way to a failed start; bounded by the number of open files on the machine.
 */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { basename } from 'node:path';

const LISTEN = '0A';
/** Enough to know one's own. */
const COMMAND_MAX = 60;

export interface PortOwner {
  readonly pid: number;
  /** Program and, where that is no option, its first argument, without folders: `nginx`, `node server.js`. */
  readonly command: string;
}

export function portOwner(port: number): PortOwner | null {
  const inodes = new Set(['/proc/net/tcp', '/proc/net/tcp6'].flatMap((table) => listeningInodes(read(table), port)));
  if (inodes.size === 0) return null;
  const pids = list('/proc').filter((name) => /^\d+$/.test(name));
  const pid = pids.find((candidate) => holdsSocket(candidate, inodes));
  return pid === undefined ? null : { pid: Number(pid), command: commandOf(read(`/proc/${pid}/cmdline`)) };
}

/** Inodes of the sockets that listen on `port` in the text of a /proc/net/tcp table, which is in the kernel's docs, proc_net_tcp. */
export function listeningInodes(table: string, port: number): string[] {
  const wanted = `:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  const rows = table.split('\n').map((line) => line.trim().split(/\s+/));
  return rows.filter((row) => row[1]?.endsWith(wanted) && row[3] === LISTEN).flatMap((row) => row[9] ?? []);
}

/** Of a command line as the kernel shows it. Its name for the process would not do: that of Node's is `MainThread`. */
export function commandOf(commandLine: string): string {
  const [program = '', argument = ''] = commandLine.split('\0');
  const words = argument.startsWith('-') ? [program] : [program, argument];
  const text = words.map((word) => basename(word)).join(' ');
  // Whoever runs it wrote it: a terminal is given plain text.
  return (
    text
      .replace(/[^ -~]/g, '')
      .trim()
      .slice(0, COMMAND_MAX) || 'a process without a name'
  );
}

function holdsSocket(pid: string, inodes: ReadonlySet<string>): boolean {
  return list(`/proc/${pid}/fd`).some((fd) => {
    const inode = /^socket:\[(\d+)\]$/.exec(link(`/proc/${pid}/fd/${fd}`))?.[1];
    return inode !== undefined && inodes.has(inode);
  });
}

// A process may end, or not be ours to look at, between one read and the next: nothing found is the answer then.
function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function link(file: string): string {
  try {
    return readlinkSync(file);
  } catch {
    return '';
  }
}
