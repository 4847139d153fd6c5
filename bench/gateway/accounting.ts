/**
 * What processes and cores used, read from /proc.
 *
 * CPU time is the sum over all threads of all processes of a tree of the scheduler's own run time in nanoseconds
 * (/proc/<pid>/task/<tid>/schedstat). The split into user and system comes from utime and stime, which the kernel samples at its
 * tick: good to a few per cent over seconds, never used for the total.
 * On loopback the kernel receives inside the sender's `write`, so a proxy is charged for delivering to its peers; so is
 * every contender.
 * Not counted: kernel threads, and memory the kernel holds for sockets.
 */
import { readdirSync, readFileSync } from 'node:fs';

function read(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return ''; // the process or thread ended between two reads
  }
}

/** The fields after the command name, which may itself hold spaces and parentheses: [0] is state, [1] the parent. */
function statFields(text: string): string[] {
  return text.slice(text.lastIndexOf(')') + 2).split(' ');
}

/** The process and all it started, at this moment. */
export function processTree(rootPid: number): number[] {
  const parents = new Map<number, number>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const text = read(`/proc/${name}/stat`);
    if (text !== '') parents.set(Number(name), Number(statFields(text)[1]));
  }
  const tree = [rootPid];
  for (const pid of tree) for (const [child, parent] of parents) if (parent === pid) tree.push(child);
  return tree;
}

export interface CpuReading {
  readonly totalNs: number;
  /** Ticks, for the share only. */
  readonly userTicks: number;
  readonly systemTicks: number;
}

export function readCpu(pids: readonly number[]): CpuReading {
  let totalNs = 0;
  let userTicks = 0;
  let systemTicks = 0;
  for (const pid of pids) {
    const fields = statFields(read(`/proc/${pid}/stat`));
    userTicks += Number(fields[11] ?? 0);
    systemTicks += Number(fields[12] ?? 0);
    for (const tid of threads(pid)) totalNs += Number(read(`/proc/${pid}/task/${tid}/schedstat`).split(' ')[0]);
  }
  return { totalNs, userTicks, systemTicks };
}

export function threads(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`);
  } catch {
    return [];
  }
}

/** How often threads of these processes have slept and been woken. */
export function readWakeUps(pids: readonly number[]): number {
  let count = 0;
  for (const pid of pids) {
    for (const tid of threads(pid)) {
      count += Number(/^voluntary_ctxt_switches:\s+(\d+)/m.exec(read(`/proc/${pid}/task/${tid}/status`))?.[1] ?? 0);
    }
  }
  return count;
}

export interface Memory {
  readonly rssBytes: number;
  /** Proportional: a page shared by n processes counts 1/n in each. */
  readonly pssBytes: number;
}

export function readMemory(pids: readonly number[]): Memory {
  let rssBytes = 0;
  let pssBytes = 0;
  for (const pid of pids) {
    const text = read(`/proc/${pid}/smaps_rollup`);
    rssBytes += Number(/^Rss:\s+(\d+)/m.exec(text)?.[1] ?? 0) * 1024;
    pssBytes += Number(/^Pss:\s+(\d+)/m.exec(text)?.[1] ?? 0) * 1024;
  }
  return { rssBytes, pssBytes };
}

export interface CoreReading {
  readonly busyTicks: number;
  readonly idleTicks: number;
}

/** Busy and idle time of some cores together. */
export function readCores(cores: readonly number[]): CoreReading {
  const text = read('/proc/stat');
  let busyTicks = 0;
  let idleTicks = 0;
  for (const core of cores) {
    const line = new RegExp(`^cpu${core} (.*)$`, 'm').exec(text)?.[1] ?? '';
    const [user = 0, nice = 0, system = 0, idle = 0, wait = 0, irq = 0, softIrq = 0, steal = 0] = line
      .split(' ')
      .map(Number);
    busyTicks += user + nice + system + irq + softIrq + steal;
    idleTicks += idle + wait;
  }
  return { busyTicks, idleTicks };
}

/** 0…1: how much of the time was busy; 0 of no time. */
export function shareOf(busy: number, idle: number): number {
  return busy + idle === 0 ? 0 : busy / (busy + idle);
}

/** `0,2-3` → [0, 2, 3]. */
export function parseCores(list: string): number[] {
  return list.split(',').flatMap((part) => {
    const [first = 0, last = first] = part.split('-').map(Number);
    if (!Number.isInteger(first) || !Number.isInteger(last) || last < first)
      throw new Error(`“${list}” is not a core list such as 0,2-3`);
    return Array.from({ length: last - first + 1 }, (_, offset) => first + offset);
  });
}
