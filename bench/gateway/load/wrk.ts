/**
 * Closed loop: each connection sends its next request when the last one is answered. Good for cost per request; its
 * latencies are those of a saturated proxy (open-loop.lua is for latency).
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Processes } from '../processes.ts';
import type { LoadResult, Target } from './load.ts';

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
  const file = join(target.dir, 'wrk.lua');
  writeFileSync(file, script(load));
  const url = `${target.tls ? 'https' : 'http'}://127.0.0.1:${target.port}${load.path}`;
  const args = ['-t1', `-c${load.connections}`, `-d${durationS}s`, '--timeout', '10s', '-s', file, url];
  const output = await processes.run('wrk', args, { cores: target.cores, timeoutMs: durationS * 1000 + 30_000 });
  return parseResult(output);
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

/** Reads the line that our script, or one of our own clients, prints. */
export function parseResult(output: string): LoadResult {
  const json = /^RESULT (\{.*\})$/m.exec(output)?.[1];
  if (json === undefined) throw new Error(`the load generator printed no result:\n${output}`);
  return JSON.parse(json) as LoadResult;
}
