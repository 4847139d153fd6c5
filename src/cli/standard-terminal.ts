/**
 * The terminal that a program was started on: whether it is gone, and whether what is printed there is kept.
 *
 * Sources: credentials(7) for controlling terminals, proc_pid_stat(5).
 */
import { closeSync, openSync, readFileSync } from 'node:fs';
import { isatty } from 'node:tty';

const STANDARD = [0, 1, 2];

/**
 * To be called at the start: which of the standard streams are a terminal then. The answer is true once none of those is one any more: its
 * window was closed, or the line to it broke. The kernel marks a terminal before it sends SIGHUP, so the handler of that signal can tell it
 * from a SIGHUP that somebody sent. Who was started on none, as by a service manager or by nohup, which takes its streams off the terminal,
 * has none that could go; nor has who is in a session of his own, as by setsid: of the end of what his streams are he is not told.
 */
export function terminalEnd(): () => boolean {
  const terminals = isOfTerminal() ? STANDARD.filter((fd) => isatty(fd)) : [];
  return () => terminals.length > 0 && !terminals.some((fd) => isatty(fd));
}

/** Its session has a terminal. */
function isOfTerminal(): boolean {
  try {
    closeSync(openSync('/dev/tty', 'r'));
    return true;
  } catch {
    return false;
  }
}

/**
 * Whether it is the terminal of process 1 as well: that of a container (`docker run -t`), whose engine keeps what is printed there for
 * whoever asks for its logs. Of a machine, process 1 has none.
 */
export function isKeptTerminal(statOf: (pid: string) => string = readStat): boolean {
  const own = terminalOf(statOf('self'));
  return own !== 0 && own === terminalOf(statOf('1'));
}

/** `tty_nr`, 0 for none: the fifth number behind the name, which is in brackets and may hold any. */
function terminalOf(stat: string): number {
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[4] ?? 0);
}

function readStat(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    // Not Linux: a container's is always.
    return '';
  }
}
