/** A process stopped and continued, and what Linux says of it: a signal is sent some time before it has done its work. */
import { readdirSync, readFileSync } from 'node:fs';

/** The letter of each of its threads, from `/proc`: `T` is stopped, `Z` dead. Empty if there is no such process. */
function threadStates(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`).map((thread) => {
      const stat = readFileSync(`/proc/${pid}/task/${thread}/stat`, 'utf8');
      // The name before it, in brackets, may hold anything.
      return stat.slice(stat.lastIndexOf(')') + 2)[0] ?? '';
    });
  } catch {
    return [];
  }
}

export function isStopped(pid: number): boolean {
  const states = threadStates(pid);
  return states.length > 0 && states.every((state) => state === 'T');
}

const never = new Int32Array(new SharedArrayBuffer(4));

/** Blocks this thread until the kernel says so: only the stopped one's parent could be told, and that is Node itself. Less than a millisecond as a rule. */
function signalUntil(pid: number, signal: 'SIGSTOP' | 'SIGCONT', stopped: boolean): void {
  process.kill(pid, signal);
  while (isStopped(pid) !== stopped) {
    const states = threadStates(pid);
    if (states.every((state) => state === 'Z')) throw new Error(`process ${pid} has ended, and takes no ${signal}`);
    Atomics.wait(never, 0, 0, 1);
  }
}

/** Every thread of it is stopped when this returns. */
export function freeze(pid: number): void {
  signalUntil(pid, 'SIGSTOP', true);
}

export function thaw(pid: number): void {
  signalUntil(pid, 'SIGCONT', false);
}
