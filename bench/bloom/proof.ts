/**
 * What a filter promises, shown on all of its keys: every key that was added is found, and of keys that were not added as
 * many are found as theory says.
 */
import { performance } from 'node:perf_hooks';
import { createFilter, type FilterOptions, type FilterReport } from 'spillway/bloom';
import { keyStream } from './key-stream.ts';

export interface Proof {
  readonly report: FilterReport;
  /** Keys that were added and are not found: 0, or the filter is none. */
  readonly lost: number;
  /** Measured on keys that were not added. */
  readonly rate: number;
  /** The measured rate by the predicted one. */
  readonly rateRatio: number;
  readonly addNs: number;
  readonly hasNs: number;
}

export interface ProofOptions extends FilterOptions {
  /** How many keys that were not added are asked for. */
  readonly absent: number;
  readonly onProgress?: (phase: string, done: number, of: number) => void;
}

/** Keys between two words of progress. */
const STRIDE = 10_000_000;

/** Builds a filter of `capacity` keys, asks for each of them, and for `absent` others. */
export function prove({ absent, onProgress, ...options }: ProofOptions): Proof {
  const { capacity } = options;
  const filter = createFilter(options);

  const run = (phase: string, from: number, count: number, work: (keys: readonly Uint8Array[]) => number) => {
    let sum = 0;
    let done = 0;
    let cpuNs = 0;
    for (let at = from; at < from + count; at += STRIDE) {
      const to = Math.min(at + STRIDE, from + count);
      const before = process.cpuUsage();
      for (const keys of keyStream(at, to)) sum += work(keys);
      const { user, system } = process.cpuUsage(before);
      cpuNs += (user + system) * 1000;
      done += to - at;
      onProgress?.(phase, done, count);
    }
    return { sum, ns: cpuNs / count };
  };
  const found = (keys: readonly Uint8Array[]): number => {
    let sum = 0;
    for (const one of filter.hasMany(keys)) sum += one;
    return sum;
  };

  const added = run('added', 0, capacity, (keys) => filter.addMany(keys));
  const verified = run('verified', 0, capacity, found);
  const others = run('absent', capacity, absent, found);
  const report = filter.report();
  const rate = others.sum / absent;
  return {
    report,
    lost: capacity - verified.sum,
    rate,
    rateRatio: rate / report.falsePositiveRate.atCapacity,
    addNs: added.ns,
    hasNs: verified.ns,
  };
}

/** Shows progress on stderr, a line each so many keys. */
export function sayProgress(): (phase: string, done: number, of: number) => void {
  const start = performance.now();
  return (phase, done, of) => {
    const seconds = ((performance.now() - start) / 1000).toFixed(0).padStart(5);
    process.stderr.write(`${seconds} s  ${phase.padEnd(9)} ${String(Math.floor((100 * done) / of)).padStart(3)} %\n`);
  };
}
