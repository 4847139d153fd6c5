/**
 * TLS handshakes, each on a new connection with one small request: several `openssl s_time` at once, because one waits for each
 * answer. In `resume` mode each process makes one full handshake and resumes that session from then on.
 */
import type { Processes } from '../processes.ts';
import type { LoadResult, Target } from './load.ts';

export interface HandshakeLoad {
  readonly kind: 'handshake';
  readonly resume: boolean;
  readonly clients: number;
}

// s_time writes `GET <path> HTTP/1.0`; ending the request in the path makes it HTTP/1.1 with a Host, which all proxies take.
const PATH = '/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nX-Rest:';

export async function runHandshakes(
  processes: Processes,
  load: HandshakeLoad,
  target: Target,
  durationS: number,
): Promise<LoadResult> {
  const to = ['-connect', `127.0.0.1:${target.port}`, '-time', String(durationS), '-www', PATH];
  const args = ['s_time', ...to, load.resume ? '-reuse' : '-new'];
  const options = { cores: target.cores, timeoutMs: durationS * 1000 + 30_000 };
  const startMs = performance.now();
  const outputs = await Promise.all(
    Array.from({ length: load.clients }, () => processes.run('openssl', args, options)),
  );
  const wallS = (performance.now() - startMs) / 1000; // s_time counts whole seconds only
  let requests = 0;
  let errors = 0;
  for (const output of outputs) {
    const [, count, seconds] = /(\d+) connections in (\d+) real seconds/.exec(output) ?? [];
    if (count === undefined || Number(seconds) === 0)
      throw new Error(`openssl s_time printed no count:\n${output.slice(0, 2000)}`);
    requests += Number(count);
    // It prints one letter a connection: `r` resumed, `*` or a protocol letter for a full handshake.
    const letters = /^[rtT*]+$/m.exec(output)?.[0] ?? '';
    const resumed = letters.split('r').length - 1;
    errors += load.resume ? letters.length - resumed : resumed;
  }
  return { requests, durationS: wallS, errors };
}
