/** Certificates for tests: an authority in a temp folder that signs what a test asks for, by the openssl command. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface KeyPair {
  readonly certificatePem: string;
  readonly keyPem: string;
  readonly names: readonly string[];
}

export interface IssueOptions {
  /** @defaultValue 'ec' */
  readonly algorithm?: 'ec' | 'rsa';
  readonly days?: number;
}

export class Authority {
  readonly #dir = mkdtempSync(join(tmpdir(), 'spillway-ca-'));
  readonly caPem: string;
  #serial = 0;

  constructor(name = 'Test Authority') {
    this.#openssl([
      'req',
      '-x509',
      '-subj',
      `/CN=${name}`,
      '-days',
      '2',
      ...newKey('ec'),
      '-keyout',
      'ca.key',
      '-out',
      'ca.pem',
    ]);
    this.caPem = readFileSync(join(this.#dir, 'ca.pem'), 'utf8');
  }

  /** A leaf certificate for these names; an IP address becomes an IP name. */
  issue(names: readonly string[], { algorithm = 'ec', days = 2 }: IssueOptions = {}): KeyPair {
    this.#serial += 1;
    const file = `leaf${this.#serial}`;
    const subject = names.map((name) => `${/^[\d.]+$|:/.test(name) ? 'IP' : 'DNS'}:${name}`).join(',');
    writeFileSync(join(this.#dir, `${file}.ext`), `subjectAltName=${subject}\n`);
    this.#openssl([
      'req',
      '-new',
      '-subj',
      '/CN=leaf',
      ...newKey(algorithm),
      '-keyout',
      `${file}.key`,
      '-out',
      `${file}.csr`,
    ]);
    const signing = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-extfile', `${file}.ext`];
    this.#openssl(['x509', '-req', '-in', `${file}.csr`, ...signing, '-days', String(days), '-out', `${file}.pem`]);
    const read = (ending: string): string => readFileSync(join(this.#dir, `${file}.${ending}`), 'utf8');
    return { certificatePem: read('pem'), keyPem: read('key'), names };
  }

  [Symbol.dispose](): void {
    rmSync(this.#dir, { recursive: true, force: true });
  }

  #openssl(args: readonly string[]): void {
    execFileSync('openssl', args, { cwd: this.#dir, stdio: ['ignore', 'ignore', 'pipe'], timeout: 30_000 });
  }
}

function newKey(algorithm: 'ec' | 'rsa'): string[] {
  const kind = algorithm === 'ec' ? ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256'] : ['-newkey', 'rsa:2048'];
  return [...kind, '-nodes'];
}
