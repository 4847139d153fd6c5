/**
 * Certificates and keys that a config names: read once, checked, kept as text.
 *
 * What is wrong with one is found here, before any worker tries to use it. A path is read once however often it is named;
 * every path that was asked for is remembered, also one that could not be read, so that all can be watched.
 */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { createSecureContext } from 'node:tls';
import type { Finding } from '../../reading/mistakes.ts';
import { type FileText, readSmallFile, reasonOf } from '../../reading/small-file.ts';

/** The files beside a config. */
export class FileSet {
  readonly #folder: string;
  readonly #read = new Map<string, FileText>();

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Absolute. */
  pathOf(file: string): string {
    return resolve(this.#folder, file);
  }

  read(file: string): FileText {
    const path = this.pathOf(file);
    const known = this.#read.get(path) ?? readSmallFile(path);
    this.#read.set(path, known);
    return known;
  }

  /** Whether the folder of a file that will be written exists. */
  folderOf(file: string): { readonly ok: boolean; readonly path: string; readonly reason: string } {
    const path = dirname(this.pathOf(file));
    try {
      return { ok: statSync(path).isDirectory(), path, reason: 'is not a folder' };
    } catch (error) {
      return { ok: false, path, reason: reasonOf(error) };
    }
  }

  /** Every path that was asked for. */
  get paths(): readonly string[] {
    return [...this.#read.keys()];
  }

  /** What was read, by absolute path. */
  get texts(): Readonly<Record<string, string>> {
    return Object.fromEntries([...this.#read].flatMap(([path, file]) => (file.ok ? [[path, file.text]] : [])));
  }
}

/** What a check reports, and how bad it is. */
export type Report = (severity: 'error' | 'warning', finding: Finding) => void;

const certificateBlock =
  /-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----[\s\S]*?-----END (?:TRUSTED |X509 )?CERTIFICATE-----/g;

/** Every certificate in a PEM text; null where one does not parse. */
function certificatesIn(pem: string): readonly (X509Certificate | null)[] {
  return (pem.match(certificateBlock) ?? []).map((block) => {
    try {
      return new X509Certificate(block);
    } catch {
      return null;
    }
  });
}

/** What a PEM text holds, in words. */
function contentOf(pem: string): string {
  if (/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(pem)) return 'a private key';
  if (/-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----/.test(pem)) return 'a certificate';
  const label = /-----BEGIN ([A-Z0-9 ]{1,40})-----/.exec(pem)?.[1];
  if (label !== undefined) return `a ${label.toLowerCase()}`;
  return pem.trim() === '' ? 'nothing' : 'no PEM text';
}

/** The names a certificate is for: DNS names and addresses of its subjectAltName, else its common name. */
export function certificateNames(pem: string): readonly string[] {
  const leaf = certificatesIn(pem)[0];
  if (leaf === undefined || leaf === null) return [];
  const names = [...(leaf.subjectAltName ?? '').matchAll(/(?:^|, )(?:DNS|IP Address):([^,"\s]+)/g)].map(
    (match) => match[1] ?? '',
  );
  if (names.length > 0) return names.map((name) => name.toLowerCase());
  const common = /^CN=([A-Za-z0-9.*_-]+)$/m.exec(leaf.subject)?.[1];
  return common === undefined ? [] : [common.toLowerCase()];
}

function read(files: FileSet, file: string, report: Report): string | null {
  const found = files.read(file);
  if (found.ok) return found.text;
  report('error', { message: `the file ${files.pathOf(file)} ${found.reason}`, expected: 'a PEM file' });
  return null;
}

/** Checks a file of authorities or a certificate chain. False if it cannot be used. */
export function checkCertificates(files: FileSet, file: string, nowMs: number, report: Report): boolean {
  const pem = read(files, file, report);
  if (pem === null) return false;
  const certificates = certificatesIn(pem);
  if (certificates.length === 0) {
    report('error', {
      message: `${files.pathOf(file)} holds no certificate`,
      found: contentOf(pem),
      expected: 'PEM certificates',
    });
    return false;
  }
  const broken = certificates.indexOf(null);
  if (broken >= 0) {
    report('error', {
      message: `certificate ${broken + 1} in ${files.pathOf(file)} does not parse`,
      expected: 'PEM certificates',
    });
    return false;
  }
  const leaf = certificates[0] as X509Certificate;
  if (leaf.validToDate.getTime() < nowMs)
    report('warning', { message: `the certificate in ${files.pathOf(file)} ended on ${day(leaf.validToDate)}` });
  else if (leaf.validFromDate.getTime() > nowMs) {
    report('warning', {
      message: `the certificate in ${files.pathOf(file)} is not valid before ${day(leaf.validFromDate)}`,
    });
  }
  return true;
}

function day(date: Date): string {
  return date.toISOString().slice(0, 10);
}

/** Warns of a secret that others on this machine may read. */
export function checkSecrecy(files: FileSet, file: string, report: Report): void {
  const found = files.read(file);
  if (!found.ok || (found.mode & 0o077) === 0) return;
  const mode = found.mode.toString(8).padStart(4, '0');
  report('warning', {
    message: `others on this machine may read or change ${files.pathOf(file)}; run: chmod 600 ${files.pathOf(file)}`,
    found: `mode ${mode}`,
    expected: 'mode 0600',
  });
}

/** Checks a private key, and that it belongs to the certificate. `certificate` is null if that one is unusable. */
export function checkKey(files: FileSet, key: string, certificate: string | null, report: Report): void {
  const pem = read(files, key, report);
  if (pem === null) return;
  if (!/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(pem)) {
    report('error', {
      message: `${files.pathOf(key)} holds no private key`,
      found: contentOf(pem),
      expected: 'a PEM private key',
    });
    return;
  }
  checkSecrecy(files, key, report);
  if (/ENCRYPTED/.test(pem)) {
    report('error', {
      message: `the key in ${files.pathOf(key)} is encrypted`,
      expected: 'a key without a passphrase (openssl pkey -in … -out …)',
    });
    return;
  }
  const chain = certificate === null ? null : files.read(certificate);
  try {
    const privateKey = createPrivateKey(pem);
    if (chain === null || !chain.ok) return;
    if (certificatesIn(chain.text)[0]?.checkPrivateKey(privateKey) !== true) {
      report('error', {
        message: `the key in ${files.pathOf(key)} does not belong to the certificate in ${files.pathOf(certificate ?? '')}`,
      });
      return;
    }
  } catch {
    report('error', { message: `the key in ${files.pathOf(key)} does not parse`, expected: 'a PEM private key' });
    return;
  }
  try {
    // Finds what only TLS objects to, such as an RSA key that is too short.
    createSecureContext({ cert: chain.text, key: pem });
  } catch (error) {
    const reason = error instanceof Error ? error.message.replace(/^error:[0-9A-F]+:/i, '') : 'unknown reason';
    report('error', { message: `TLS does not accept ${files.pathOf(key)} with its certificate (${reason})` });
  }
}
