/** One self-signed ECDSA P-256 certificate for a run: the same for every contender. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Processes } from './processes.ts';

export interface Certificate {
  readonly certificateFile: string;
  readonly keyFile: string;
  /** Both in one file, as HAProxy reads it. */
  readonly bundleFile: string;
}

export async function createCertificate(processes: Processes, dir: string, cores: string): Promise<Certificate> {
  const certificateFile = join(dir, 'cert.pem');
  const keyFile = join(dir, 'key.pem');
  const bundleFile = join(dir, 'bundle.pem');
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', keyFile];
  const certificate = [
    '-x509',
    '-days',
    '2',
    '-subj',
    '/CN=localhost',
    '-addext',
    'subjectAltName=DNS:localhost,IP:127.0.0.1',
  ];
  await processes.run('openssl', ['req', ...certificate, ...key, '-out', certificateFile], {
    cores,
    timeoutMs: 20_000,
  });
  writeFileSync(bundleFile, readFileSync(certificateFile, 'utf8') + readFileSync(keyFile, 'utf8'), { mode: 0o600 });
  return { certificateFile, keyFile, bundleFile };
}
