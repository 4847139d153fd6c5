/**
 * `npm run bench -- profile [--case NAME]`: where the time of the data plane goes under one case. Runs Spillway alone on a core
 * and prints, each from a run of its own so that they do not disturb each other:
 * functions by self time (V8's sampling profiler) with collections, then, where the tools are installed and permitted,
 * kernel, native and compiled code together (perf) and system calls per request (strace, which slows the proxy down much).
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import type { ConfigInput } from '../../src/gateway/config/index.ts';
import { threads } from './accounting.ts';
import { cases, type Case } from './cases.ts';
import { createCertificate, type Certificate } from './certificate.ts';
import type { Started } from './contender.ts';
import { limitedly } from './contenders/policy.ts';
import { createSpillway } from './contenders/spillway.ts';
import { selfTimes, type CpuProfile } from './cpu-profile.ts';
import { runLoad, targetOf, type Bench } from './measure.ts';
import { startOrigin, type Origin } from './origin.ts';
import { createProcesses } from './processes.ts';

const { values } = parseArgs({
  options: {
    case: { type: 'string', default: 'small-64' },
    duration: { type: 'string', default: '4' },
    top: { type: 'string', default: '25' },
    env: { type: 'string', multiple: true, default: [] },
    'proxy-core': { type: 'string', default: '1' },
    'load-cores': { type: 'string', default: '0' },
    /** Which of the runs: profile, perf, strace. */
    only: { type: 'string', default: 'profile,perf,strace' },
  },
});
const top = Number(values.top);
const print = (line: string): void => void process.stdout.write(`${line}\n`);

interface Run {
  readonly bench: Bench;
  readonly one: Case;
  readonly certificate: Certificate;
  readonly origin: Origin;
}

/** Starts Spillway with these flags of Node, warms it up, calls `during` with what puts load on, stops it. */
async function underLoad(
  run: Run,
  nodeArgs: readonly string[],
  during: (started: Started, load: () => Promise<number>) => Promise<void>,
): Promise<string> {
  const { bench, one, certificate, origin } = run;
  const dir = mkdtempSync(join(bench.dir, 'run-'));
  const env = Object.fromEntries(values.env.map((pair) => pair.split(/=(.*)/s).slice(0, 2) as [string, string]));
  const change = one.name === 'limit' ? limitedly : (same: ConfigInput): ConfigInput => same;
  const contender = createSpillway({ name: 'profiled', env, nodeArgs, change });
  const { processes, proxyCore: core } = bench;
  const setup = { processes, dir, core, origin, certificate, everythingOn: one.everythingOn, connections: 1000 };
  const started = await contender.start(setup);
  const target = targetOf(bench, one, started);
  await runLoad(bench, one.load, target, 2, 10_000);
  await during(started, async () => {
    const { requests } = await runLoad(bench, one.load, target, bench.durationS, 10_000);
    return requests;
  });
  await started.stop();
  return started.output?.() ?? '';
}

async function profileFunctions(run: Run): Promise<void> {
  const dir = join(run.bench.dir, 'profiles');
  mkdirSync(dir);
  let requests = 0;
  const flags = ['--cpu-prof', '--cpu-prof-interval=250', `--cpu-prof-dir=${dir}`, '--trace-gc'];
  const output = await underLoad(run, flags, async (_, load) => void (requests = await load()));
  const profiles = readdirSync(dir).map((file) => JSON.parse(readFileSync(join(dir, file), 'utf8')) as CpuProfile);
  const all = profiles
    .map((profile) => selfTimes(profile))
    .map((times) => ({ times, us: times.reduce((sum, { us }) => sum + us, 0) }));
  const busiest = all.toSorted((a, b) => b.us - a.us)[0];
  print(`\nFunctions of the busiest thread by self time (${requests} requests, warm-up included in the profile):`);
  for (const { place, us } of busiest?.times.slice(0, top) ?? []) {
    print(`${((us / busiest!.us) * 100).toFixed(1).padStart(6)} %  ${place}`);
  }
  const pauses = [...output.matchAll(/ms: (Scavenge|Mark-Compact).*?, ([\d.]+) \/ /g)].map(([, kind, ms]) => ({
    kind,
    ms: Number(ms),
  }));
  const totalMs = pauses.reduce((sum, { ms }) => sum + ms, 0);
  const longest = Math.max(0, ...pauses.map(({ ms }) => ms));
  print(`Collections: ${pauses.length}, ${totalMs.toFixed(0)} ms in all, the longest ${longest.toFixed(1)} ms`);
}

async function profileSymbols(run: Run): Promise<void> {
  if (spawnSync('perf', ['--version']).status !== 0)
    return print('\nperf is not installed; no kernel and native symbols');
  const file = join(run.bench.dir, 'perf.data');
  await underLoad(run, ['--perf-basic-prof', '--interpreted-frames-native-stack'], async (started, load) => {
    const underway = load();
    await sleep(500);
    const seconds = String(Math.max(1, run.bench.durationS - 1));
    const record = [
      'record',
      '-e',
      'cpu-clock',
      '-F',
      '1999',
      '-o',
      file,
      '-p',
      started.pids().join(','),
      '--',
      'sleep',
      seconds,
    ];
    await run.bench.processes.run('perf', record, { cores: run.bench.loadCores, timeoutMs: 60_000 });
    await underway;
    // Read while the process lives: its map of compiled code is found by process id.
    const report = (sort: string): string[] => {
      const args = ['report', '-i', file, '--stdio', '--sort', sort, '--percent-limit', '0.3'];
      const { stdout } = spawnSync('perf', args, { encoding: 'utf8', maxBuffer: 2 ** 26 });
      return stdout.split('\n').filter((line) => /^ +\d/.test(line));
    };
    print('\nWhere it ran ([JIT] is compiled JavaScript):');
    for (const line of report('dso')) print(line.trimEnd());
    const lines = report('symbol');
    print('\nSymbols by self time ([k] kernel):');
    for (const line of lines.slice(0, top)) print(line.replace(/(\s+-)*\s*$/, ''));
    for (const pid of started.pids()) rmSync(join(tmpdir(), `perf-${pid}.map`), { force: true });
  });
}

async function countCalls(run: Run): Promise<void> {
  if (spawnSync('strace', ['-V']).status !== 0) return print('\nstrace is not installed; no system calls');
  const short = { ...run, bench: { ...run.bench, durationS: 3 } };
  await underLoad(short, [], async (started, load) => {
    const file = join(run.bench.dir, 'strace.txt');
    const tracees = started.pids().flatMap((pid) => threads(pid));
    const tracer = run.bench.processes.start('strace', ['-c', '-o', file, ...tracees.flatMap((tid) => ['-p', tid])], {
      cores: run.bench.loadCores,
    });
    while (!/attached/.test(tracer.output()) && !tracer.exited()) await sleep(20);
    const requests = await load();
    tracer.child.kill('SIGINT');
    await tracer.ended;
    print(`\nSystem calls per request (under strace, ${requests} requests):`);
    for (const line of readFileSync(file, 'utf8').split('\n')) {
      const [, calls, name] = /^ +[\d.]+ +[\d.]+ +\d+ +(\d+) +(?:\d+ +)?(\w+)$/.exec(line) ?? [];
      if (name === undefined || name === 'total' || Number(calls) / requests < 0.005) continue;
      print(`${(Number(calls) / requests).toFixed(2).padStart(8)}  ${name}`);
    }
  });
}

const one = cases.find(({ name }) => name === values.case);
if (one === undefined || one.load.kind === 'idle') throw new Error(`no case to profile is called “${values.case}”`);
const dir = mkdtempSync(join(tmpdir(), 'spillway-profile-'));
const processes = createProcesses(userInfo().uid === 0 ? -15 : 0);
process.once('SIGINT', () => void processes.stopAll().finally(() => process.exit(130)));
try {
  const cores = values['load-cores'];
  const certificate = await createCertificate(processes, dir, cores);
  const origin = await startOrigin(processes, dir, cores);
  const { certificateFile } = certificate;
  const { duePort } = origin;
  const durationS = Number(values.duration);
  const bench: Bench = {
    processes,
    dir,
    proxyCore: values['proxy-core'],
    loadCores: cores,
    certificateFile,
    durationS,
    duePort,
    originPids: origin.pids(),
  };
  const run: Run = { bench, one, certificate, origin };
  print(`${one.name}: ${one.title}`);
  if (values.only.includes('profile')) await profileFunctions(run);
  if (values.only.includes('perf')) await profileSymbols(run);
  if (values.only.includes('strace')) await countCalls(run);
} finally {
  await processes.stopAll();
  rmSync(dir, { recursive: true, force: true });
}
