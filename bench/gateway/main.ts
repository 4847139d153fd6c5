/**
 * Spillway, nginx and HAProxy side by side on one machine: for each case every contender is started fresh and warmed up,
 * then measured in interleaved rounds (A B C, B C A, …). docs/benchmarks.md says what each case does and how CPU is counted.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { cpus, release, tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Case } from './cases.ts';
import { cases } from './cases.ts';
import { createCertificate, type Certificate } from './certificate.ts';
import type { Contender, Started } from './contender.ts';
import type { ClosedLoad } from './load/wrk.ts';
import { checkLikeForLike } from './like-for-like.ts';
import { measure, runLoad, targetOf, type Bench, type Sample } from './measure.ts';
import { parseOptions, usage, type Options } from './options.ts';
import { startOrigin, type Origin } from './origin.ts';
import { createProcesses } from './processes.ts';
import { measureInTurns } from './turns.ts';
import { renderMarkdown, renderText, summarise, type CaseResult } from './report.ts';

/** V8 compiles anew for some six seconds of load; what follows is what a gateway is that has run for a day. */
const WARM_UP_S = 8;
const say = (line: string): void => void process.stderr.write(`${line}\n`);

async function main(): Promise<void> {
  const options = parseOptions(process.argv.slice(2));
  if (options === 'help') return void process.stdout.write(usage);
  if (options === 'list')
    return void process.stdout.write(cases.map((one) => `${one.name.padEnd(16)} ${one.title}\n`).join(''));
  requireTools(options);
  const dir = mkdtempSync(join(tmpdir(), 'spillway-bench-'));
  await using processes = createProcesses(options.nice);
  const leave = (status: number) => (): void => {
    void processes.stopAll().finally(() => {
      rmSync(dir, { recursive: true, force: true });
      process.exit(status);
    });
  };
  process.once('SIGINT', leave(130)).once('SIGTERM', leave(143));
  // The harness sleeps during a run, but what it does must not land on the proxy's core.
  spawnSync('taskset', ['-pc', options.loadCores, String(process.pid)]);
  try {
    const certificate = await createCertificate(processes, dir, options.loadCores);
    const origin = await startOrigin(processes, dir, options.loadCores);
    const bench: Bench = {
      processes,
      dir,
      proxyCore: options.proxyCore,
      loadCores: options.loadCores,
      certificateFile: certificate.certificateFile,
      durationS: options.durationS,
      duePort: origin.duePort,
      originPids: origin.pids(),
    };
    const machine = await machineOf(options, bench);
    if (options.format !== 'json') process.stdout.write(`${machine.lines.join('\n')}\n\n`);
    const results: CaseResult[] = [];
    for (const one of options.cases) {
      const result = await runCase(bench, options, one, { certificate, origin });
      results.push(result);
      if (options.format !== 'json')
        process.stdout.write(`${options.format === 'text' ? renderText(result) : renderMarkdown(result)}\n`);
    }
    if (options.format === 'json')
      process.stdout.write(`${JSON.stringify({ ...machine.facts, cases: results }, null, 2)}\n`);
  } finally {
    await processes.stopAll();
    rmSync(dir, { recursive: true, force: true });
  }
}

interface Surroundings {
  readonly certificate: Certificate;
  readonly origin: Origin;
}

async function runCase(bench: Bench, options: Options, one: Case, around: Surroundings): Promise<CaseResult> {
  const entered = new Set(one.only?.map((name) => options.known.get(name)!) ?? options.contenders);
  // What generator and origin take by themselves in the same round: without it a latency says nothing of the proxy.
  if (one.load.kind === 'scheduled') entered.add(options.known.get('direct')!);
  const reference = one.only?.[1] ?? options.reference;
  const able = [...entered].filter((contender) => one.needs.every((need) => contender.abilities.includes(need)));
  const running = new Map<Contender, Started>();
  const samples = new Map<string, Sample[]>(able.map((contender) => [contender.name, []]));
  let starts = 0;

  const restart = async (contender: Contender): Promise<Started> => {
    await running.get(contender)?.stop();
    const dir = join(bench.dir, `${one.name}-${contender.name}-${(starts += 1)}`);
    mkdirSync(dir);
    const connections = one.load.kind === 'handshake' ? 100 : one.load.connections;
    const { processes, proxyCore: core } = bench;
    const started = await contender.start({
      processes,
      dir,
      core,
      ...around,
      everythingOn: one.everythingOn,
      connections,
    });
    running.set(contender, started);
    await checkLikeForLike(bench, contender, started);
    await warmUp(bench, one, started);
    return started;
  };

  try {
    say(`${one.name}: starting ${able.map((contender) => contender.name).join(', ')}`);
    for (const contender of able) await restart(contender);
    const rate =
      one.load.kind === 'scheduled' ? (options.rate ?? (await peakOf(bench, options, running)) * one.load.share) : null;
    for (let round = 0; round < options.rounds; round++) {
      if (options.turnMs > 0 && hasTurns(one)) {
        if (round > 0) for (const contender of able) await restart(contender);
        for (const [contender, sample] of await measureInTurns(bench, one, running, round, options.turnMs)) {
          samples.get(contender.name)?.push(sample);
          say(progress(one, contender, sample, options));
        }
        continue;
      }
      for (const contender of rotated(able, round)) {
        // A process that has held many connections keeps their memory for the next ones: only a fresh one shows what they cost.
        const again = one.load.kind === 'idle' && round > 0;
        const started = again ? await restart(contender) : running.get(contender);
        if (started === undefined) continue;
        const sample = await measure(bench, one, started, round, rate ?? 0);
        samples.get(contender.name)?.push(sample);
        say(progress(one, contender, sample, options));
      }
    }
    return summarise(one, samples, reference, rate);
  } finally {
    for (const started of running.values()) await started.stop();
  }
}

/** What is written beside the answers is not counted by turns. */
function hasTurns(one: Case): one is Case & { readonly load: ClosedLoad } {
  return one.load.kind === 'closed' && one.metric === 'cpu' && !one.everythingOn;
}

function rotated<T>(list: readonly T[], by: number): T[] {
  const at = by % Math.max(1, list.length);
  return [...list.slice(at), ...list.slice(0, at)];
}

async function warmUp(bench: Bench, one: Case, started: Started): Promise<void> {
  const target = targetOf(bench, one, started);
  const load =
    one.load.kind === 'idle' || one.load.kind === 'scheduled'
      ? ({ kind: 'closed', connections: 64, path: '/' } as const)
      : one.load;
  await runLoad(bench, load, target, WARM_UP_S, 0);
}

/** Requests per second of the reference in a closed loop: what a schedule's rate is a share of. */
async function peakOf(bench: Bench, options: Options, running: ReadonlyMap<Contender, Started>): Promise<number> {
  for (const [contender, started] of running) {
    if (contender.name !== options.reference) continue;
    const target = {
      port: started.port,
      duePort: started.port,
      tls: false,
      certificateFile: bench.certificateFile,
      cores: bench.loadCores,
      dir: bench.dir,
    };
    const { requests, durationS } = await runLoad(
      bench,
      { kind: 'closed', connections: 64, path: '/' },
      target,
      bench.durationS,
      0,
    );
    return requests / durationS;
  }
  throw new Error(`the reference ${options.reference} does not run in this case; give --rate`);
}

function progress(one: Case, contender: Contender, sample: Sample, options: Options): string {
  const figure =
    one.metric === 'memory'
      ? `${((sample.pssBytesPerConnection ?? 0) / 1024).toFixed(1)} KB`
      : `${sample.cpuUsPerUnit.toFixed(1)} µs, ${Math.round(sample.perSecond)}/s, p99 ${sample.p99Us ?? '-'} µs`;
  const late = sample.lateP99Us === null ? '' : `, generator late p99 ${sample.lateP99Us} µs`;
  const cores = `proxy core ${Math.round(sample.coreBusy * 100)} %, load ${Math.round(sample.loadBusy * 100)} %`;
  return `  ${one.name} ${sample.round + 1}/${options.rounds} ${contender.name}: ${figure}${late} (${cores}${sample.errors > 0 ? `, ${sample.errors} errors` : ''})`;
}

function requireTools({ contenders, cases: wanted }: Options): void {
  const packages: Record<string, string> = {
    taskset: 'util-linux',
    nice: 'coreutils',
    wrk: 'wrk',
    openssl: 'openssl',
    nginx: 'nginx-light',
  };
  if (wanted.some(({ load }) => load.kind === 'scheduled')) packages['luajit'] = 'luajit';
  if (contenders.some((contender) => contender.name === 'haproxy')) packages['haproxy'] = 'haproxy';
  const absent = Object.keys(packages).filter((tool) => spawnSync('sh', ['-c', `command -v ${tool}`]).status !== 0);
  if (absent.length === 0) return;
  const install = absent.map((tool) => packages[tool]).join(' ');
  throw new Error(`${absent.join(', ')} missing. On Debian and Ubuntu: sudo apt-get install ${install}`);
}

async function machineOf(
  options: Options,
  { processes }: Bench,
): Promise<{ lines: string[]; facts: Record<string, unknown> }> {
  const versions: Record<string, string> = {};
  for (const contender of options.contenders) versions[contender.name] = await contender.version(processes);
  const processor = `${cpus().length} × ${cpus()[0]?.model ?? 'unknown'}`;
  // BBR paces what is sent on loopback too, which costs time and CPU that others do not: two machines may differ by it alone.
  const congestionControl = readFileSync('/proc/sys/net/ipv4/tcp_congestion_control', 'utf8').trim();
  const facts = {
    versions,
    processor,
    kernel: release(),
    congestionControl,
    proxyCore: options.proxyCore,
    loadCores: options.loadCores,
    rounds: options.rounds,
    durationS: options.durationS,
    nice: options.nice,
  };
  const list = Object.entries(versions).map(([name, version]) => `${name} ${version}`);
  const { rounds, durationS, proxyCore, loadCores } = options;
  const lines = [
    list.join(' · '),
    `${processor} · Linux ${release()}, ${congestionControl} · ${rounds} rounds of ${durationS} s · proxy on core ${proxyCore}, load and origin on ${loadCores} · nice ${options.nice}`,
  ];
  return { lines, facts };
}

try {
  await main();
} catch (error) {
  process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
