/**
 * Closed loop: each connection sends its next request when the last one is answered. Good for cost per request; its
 * latencies are those of a saturated proxy (open-loop.lua is for latency).
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Processes, Running } from '../processes.ts';
import { type LoadResult, parseResult, type Target } from './load.ts';

export interface ClosedLoad {
  readonly kind: 'closed';
  readonly connections: number;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** A POST with so many bytes. */
  readonly bodyBytes?: number;
}

export async function runWrk(
  processes: Processes,
  load: ClosedLoad,
  target: Target,
  durationS: number,
): Promise<LoadResult> {
  const options = { cores: target.cores, timeoutMs: durationS * 1000 + 30_000 };
  return parseResult(await processes.run('wrk', argumentsOf(load, target, durationS), options));
}

/** The same, for who ends it before its time: on SIGINT it says what it did until then. */
export function startWrk(processes: Processes, load: ClosedLoad, target: Target, longestS: number): Running {
  return processes.start('wrk', argumentsOf(load, target, longestS), { cores: target.cores });
}

function argumentsOf(load: ClosedLoad, { dir, port, tls }: Target, durationS: number): string[] {
  const file = join(dir, 'wrk.lua');
  writeFileSync(file, script(load));
  const url = `${tls ? 'https' : 'http'}://127.0.0.1:${port}${load.path}`;
  return ['-t1', `-c${load.connections}`, `-d${durationS}s`, '--timeout', '10s', '-s', file, url];
}

function script(load: ClosedLoad): string {
  const lines = Object.entries(load.headers ?? {}).map(
    ([name, value]) => `wrk.headers[${luaString(name)}] = ${luaString(value)}`,
  );
  if (load.bodyBytes !== undefined) lines.push('wrk.method = "POST"', `wrk.body = string.rep("x", ${load.bodyBytes})`);
  return `${lines.join('\n')}
function done(summary, latency)
  local e = summary.errors
  io.write(string.format('RESULT {"requests":%d,"durationS":%f,"p50Us":%d,"p99Us":%d,"errors":%d}\\n', summary.requests,
    summary.duration / 1e6, latency:percentile(50), latency:percentile(99), e.connect + e.read + e.write + e.status + e.timeout))
end
`;
}

function luaString(text: string): string {
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}
