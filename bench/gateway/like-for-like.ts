/** Before anything is timed: does this contender do the same work as the others? What differs is an error, not a note. */
import { spawnSync } from 'node:child_process';
import { request } from 'node:http';
import type { Contender, Started } from './contender.ts';
import type { Bench } from './measure.ts';

/** One more than any contender has endpoints: then one of them is asked again. */
const ASKED = 5;

export async function checkLikeForLike(bench: Bench, contender: Contender, started: Started): Promise<void> {
  if (!contender.abilities.includes('proxy')) return;
  const seen: string[] = [];
  for (let asked = 0; asked < ASKED; asked++) seen.push(await ask(started.port));
  const fault = (what: string): Error => new Error(`${contender.name} ${what}; the origin saw:\n${seen.join('')}`);
  if (!seen.every((text) => text.startsWith('forwarded-for=127.0.0.1 ')))
    throw fault('does not say whom it forwards for');
  if (!seen.some((text) => /on-connection=([2-9]|\d\d)/.test(text)))
    throw fault('does not reuse connections to the origin');
  const tls = handshake(bench, started.tlsPort);
  if (!tls.includes('TLSv1.3') || !tls.includes('TLS_AES_128_GCM_SHA256') || !tls.includes('X25519')) {
    throw new Error(`${contender.name} negotiated other TLS parameters than its peers:\n${tls}`);
  }
}

/** One request on a connection of its own. */
function ask(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const call = request({ port, host: '127.0.0.1', path: '/seen', agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (more) => (text += more));
      response.on('end', () => resolve(text)).on('error', reject);
    });
    call.on('error', reject).end();
  });
}

/** What the library that the load generators use (OpenSSL of the machine) agrees on with this contender. */
function handshake(bench: Bench, port: number): string {
  const args = ['s_client', '-connect', `127.0.0.1:${port}`, '-CAfile', bench.certificateFile, '-brief'];
  const { stdout, stderr } = spawnSync('openssl', args, { input: '', encoding: 'utf8', timeout: 10_000 });
  return stdout + stderr;
}
