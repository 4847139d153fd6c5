/** One run of one load against one running proxy: what it cost, read before and after. */
import { createReadStream, truncateSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import {
  type CoreReading,
  type CpuReading,
  parseCores,
  readCores,
  readCpu,
  readMemory,
  readWakeUps,
  shareOf,
} from './accounting.ts';
import type { Case, Load } from './cases.ts';
import type { Started } from './contender.ts';
import { runHandshakes } from './load/handshakes.ts';
import { type LoadResult, parseResult, type Target } from './load/load.ts';
import { runWrk } from './load/wrk.ts';
import type { Processes } from './processes.ts';

export interface Bench {
  readonly processes: Processes;
  /** Core lists for taskset. */
  readonly proxyCore: string;
  readonly loadCores: string;
  readonly dir: string;
  readonly certificateFile: string;
  readonly durationS: number;
  /** Where load/open-loop.lua listens. */
  readonly duePort: number;
  readonly originPids: readonly number[];
}

export interface Sample {
  readonly round: number;
  readonly requests: number;
  readonly errors: number;
  readonly perSecond: number;
  /** CPU time of the proxy's whole tree per request, MB, handshake or round trip; 0 for idle connections. */
  readonly cpuUsPerUnit: number;
  /** 0…1, sampled by the kernel's tick. */
  readonly userShare: number;
  readonly p50Us: number | null;
  readonly p99Us: number | null;
  readonly lateP99Us: number | null;
  readonly rssBytes: number;
  readonly pssBytes: number;
  readonly pssBytesPerConnection: number | null;
  /** 0…1: how busy the proxy's core was, and how much of that was not the proxy. */
  readonly coreBusy: number;
  readonly coreForeign: number;
  readonly loadBusy: number;
  /** How often the origin was woken per request: whoever writes to it pays for that. */
  readonly wakeUps: number;
  /** Lines in the access log per request; null when it is off. */
  readonly logShare: number | null;
}

export async function measure(bench: Bench, one: Case, started: Started, round: number, rate: number): Promise<Sample> {
  if (one.load.kind === 'idle') return measureIdle(bench, one, started, round);
  const pids = started.pids();
  const target = targetOf(bench, one, started);
  const scrape = one.everythingOn ? scrapeHalfway(bench, started) : null;
  const before = readAll(bench, pids);
  const result = await runLoad(bench, one.load, target, bench.durationS, rate);
  const after = readAll(bench, pids);
  await scrape;
  const logShare = one.everythingOn ? (await takeLogLines(started)) / result.requests : null;
  return { ...sampleOf(round, result, pids, [[before, after]]), logShare };
}

/** All that is read before and after a load, or a part of it. */
export interface Reading {
  readonly atMs: number;
  readonly cpu: CpuReading;
  readonly proxy: CoreReading;
  readonly load: CoreReading;
  readonly wakeUps: number;
}

export function readAll(bench: Bench, pids: readonly number[]): Reading {
  return {
    atMs: performance.now(),
    cpu: readCpu(pids),
    proxy: readCores(parseCores(bench.proxyCore)),
    load: readCores(parseCores(bench.loadCores)),
    wakeUps: readWakeUps(bench.originPids),
  };
}

/** What a load cost that ran between the readings of each pair. */
export function sampleOf(
  round: number,
  result: LoadResult,
  pids: readonly number[],
  spans: readonly (readonly [before: Reading, after: Reading])[],
): Sample {
  const sum = (of: (reading: Reading) => number): number =>
    spans.reduce((total, [before, after]) => total + of(after) - of(before), 0);
  const cpuNs = sum(({ cpu }) => cpu.totalNs);
  const userTicks = sum(({ cpu }) => cpu.userTicks);
  const ticks = userTicks + sum(({ cpu }) => cpu.systemTicks);
  const coreBusy = shareOf(
    sum(({ proxy }) => proxy.busyTicks),
    sum(({ proxy }) => proxy.idleTicks),
  );
  return {
    round,
    requests: result.requests,
    errors: result.errors,
    perSecond: result.requests / result.durationS,
    cpuUsPerUnit: cpuNs / 1000 / result.requests,
    userShare: ticks === 0 ? 0 : userTicks / ticks,
    p50Us: result.p50Us ?? null,
    p99Us: result.p99Us ?? null,
    lateP99Us: result.lateP99Us ?? null,
    ...readMemory(pids),
    pssBytesPerConnection: null,
    coreBusy,
    coreForeign: Math.max(0, coreBusy - cpuNs / 1e6 / sum(({ atMs }) => atMs)),
    loadBusy: shareOf(
      sum(({ load }) => load.busyTicks),
      sum(({ load }) => load.idleTicks),
    ),
    wakeUps: sum(({ wakeUps }) => wakeUps) / result.requests,
    logShare: null,
  };
}

export function targetOf(bench: Bench, one: Case, started: Started): Target {
  return {
    port: one.tls ? started.tlsPort : started.port,
    duePort: started.duePort ?? started.port,
    tls: one.tls,
    certificateFile: bench.certificateFile,
    cores: bench.loadCores,
    dir: bench.dir,
  };
}

const clientFile = (name: string): string => fileURLToPath(new URL(`load/${name}.ts`, import.meta.url));

export async function runLoad(
  bench: Bench,
  load: Load,
  target: Target,
  durationS: number,
  rate: number,
): Promise<LoadResult> {
  const { processes } = bench;
  const options = { cores: target.cores, timeoutMs: durationS * 1000 + 30_000 };
  switch (load.kind) {
    case 'closed':
      return runWrk(processes, load, target, durationS);
    case 'handshake':
      return runHandshakes(processes, load, target, durationS);
    case 'scheduled': {
      const file = fileURLToPath(new URL('load/open-loop.lua', import.meta.url));
      const args = [file, target.duePort, Math.round(rate), load.connections, durationS, bench.duePort].map(String);
      return parseResult(await processes.run('luajit', args, options));
    }
    case 'websocket': {
      const args = [clientFile('websocket-clients'), target.port, load.connections, durationS].map(String);
      return parseResult(await processes.run(process.execPath, args, options));
    }
    case 'idle':
      throw new Error('idle connections are not run for a time; see measureIdle');
    default:
      return load satisfies never;
  }
}

const SETTLE_MS = 2000; // allocators give back, timers of the first request run out

/** Memory before and after N connections that have each made one request; the proxy must be fresh but warm. */
async function measureIdle(bench: Bench, one: Case, started: Started, round: number): Promise<Sample> {
  const pids = started.pids();
  const { connections: count = 0, groups = '' } = one.load.kind === 'idle' ? one.load : {};
  await sleep(SETTLE_MS);
  const before = readMemory(pids);
  const args = [clientFile('idle-clients'), String(one.tls ? started.tlsPort : started.port), String(count)];
  if (one.tls) args.push(bench.certificateFile, groups);
  const clients = bench.processes.start(process.execPath, args, { cores: bench.loadCores });
  try {
    const patience = AbortSignal.timeout(120_000);
    while (!clients.output().includes('RESULT') && !clients.exited() && !patience.aborted) await sleep(50);
    const result = parseResult(clients.output());
    await sleep(SETTLE_MS);
    const after = readMemory(pids);
    return {
      round,
      requests: result.requests,
      errors: result.errors,
      perSecond: 0,
      cpuUsPerUnit: 0,
      userShare: 0,
      p50Us: null,
      p99Us: null,
      lateP99Us: null,
      ...after,
      pssBytesPerConnection: (after.pssBytes - before.pssBytes) / Math.max(1, result.requests),
      coreBusy: 1,
      coreForeign: 0,
      loadBusy: 0,
      wakeUps: 0,
      logShare: null,
    };
  } finally {
    await clients.stop();
  }
}

/** Metrics are read once in a run, as a collector would; that they are there is part of the case. */
async function scrapeHalfway(bench: Bench, started: Started): Promise<void> {
  if (started.metricsUrl === undefined) return;
  await sleep(bench.durationS * 500);
  const response = await fetch(started.metricsUrl);
  await response.text();
  if (!response.ok) throw new Error(`${started.metricsUrl} answered ${response.status}`);
}

/** Counts the lines written so far and empties the file (all contenders append), so that no disk fills up. */
async function takeLogLines(started: Started): Promise<number> {
  if (started.logFile === undefined) return 0;
  await sleep(500); // buffers of 200 ms are on their way
  let lines = 0;
  for await (const chunk of createReadStream(started.logFile) as AsyncIterable<Buffer>) {
    for (let at = chunk.indexOf(10); at !== -1; at = chunk.indexOf(10, at + 1)) lines += 1;
  }
  truncateSync(started.logFile);
  return lines;
}
