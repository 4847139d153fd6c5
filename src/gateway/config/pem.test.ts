/** Certificates and keys that a config names: real ones, made by openssl. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { Authority } from '../../../test/certificates.ts';
import { systemClock } from '../../kernel/clock.ts';
import { formatMistake, parseConfig } from './index.ts';
import { certificateNames } from './pem.ts';

const folder = mkdtempSync(join(tmpdir(), 'spillway-pem-'));
const authority = new Authority();
after(() => {
  authority[Symbol.dispose]();
  rmSync(folder, { recursive: true });
});

const first = authority.issue(['shop.example', '*.shop.example', '192.0.2.7']);
const second = authority.issue(['blog.example'], { algorithm: 'rsa' });
write('ca.pem', authority.caPem, 0o644);
write('first.pem', first.certificatePem + authority.caPem, 0o644);
write('first.key', first.keyPem);
write('second.pem', second.certificatePem, 0o644);
write('second.key', second.keyPem);

function write(name: string, text: string, mode = 0o600): void {
  writeFileSync(join(folder, name), text);
  chmodSync(join(folder, name), mode);
}

const load = (tls: string, upstream = '', clock = systemClock) =>
  parseConfig(
    `listeners: [{ name: web, address: ":8080", tls: ${tls} }]
services: [{ name: shop, endpoints: ["127.0.0.1:9001"], tls: ${upstream || '{}'} }]
routes: [{ service: shop }]`,
    { file: join(folder, 'spillway.yaml'), clock },
  );
const lines = (...parameters: Parameters<typeof load>) =>
  load(...parameters).mistakes.map((m) => formatMistake(m).replaceAll(`${folder}/`, ''));

test('good certificates, one and several, with chain and authorities: no mistake', () => {
  assert.deepEqual(lines('{ certificate: first.pem, key: first.key, clientCa: ca.pem }'), []);
  assert.deepEqual(
    lines(
      '{ certificates: [{ certificate: first.pem, key: first.key }, { certificate: second.pem, key: second.key }] }',
    ),
    [],
  );
  assert.deepEqual(
    lines('{ certificate: first.pem, key: first.key }', '{ ca: ca.pem, certificate: second.pem, key: second.key }'),
    [],
  );
});

test('every file is listed, found or not, so that all can be watched', () => {
  const { files } = load('{ certificate: first.pem, key: gone.key, clientCa: ca.pem }');
  assert.deepEqual(files.map((file) => file.replace(`${folder}/`, '')).toSorted(), [
    'ca.pem',
    'first.pem',
    'gone.key',
    'spillway.yaml',
  ]);
});

test('the names of a certificate are its DNS names and addresses', () => {
  assert.deepEqual(certificateNames(first.certificatePem), ['shop.example', '*.shop.example', '192.0.2.7']);
  assert.deepEqual(certificateNames(authority.caPem), []);
  assert.deepEqual(certificateNames('nonsense'), []);
});

test('a key of another certificate', () => {
  assert.deepEqual(lines('{ certificate: first.pem, key: second.key }'), [
    'spillway.yaml:1:80: the key in second.key does not belong to the certificate in first.pem.',
  ]);
});

test('files that are missing, mixed up, broken, encrypted or no files', () => {
  write('broken.pem', first.certificatePem.replace(/\n.{20}/, '\n!!!!!!!!!!!!!!!!!!!!'), 0o644);
  write('broken.key', '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n');
  write('empty.pem', '');
  mkdirSync(join(folder, 'folder'));
  execFileSync('openssl', ['pkey', '-in', 'first.key', '-aes256', '-passout', 'pass:secret', '-out', 'locked.key'], {
    cwd: folder,
  });
  execFileSync('mkfifo', ['pipe'], { cwd: folder });
  const cases: readonly (readonly [string, string, RegExp])[] = [
    ['gone.pem', 'first.key', /the file gone\.pem does not exist/],
    ['folder', 'first.key', /the file folder is not a file/],
    ['pipe', 'first.key', /the file pipe is not a file/],
    ['first.key', 'first.key', /first\.key holds no certificate\. Found a private key/],
    ['empty.pem', 'first.key', /holds no certificate\. Found nothing/],
    ['broken.pem', 'first.key', /certificate 1 in broken\.pem does not parse/],
    ['first.pem', 'first.pem', /first\.pem holds no private key\. Found a certificate/],
    ['first.pem', 'broken.key', /the key in broken\.key does not parse/],
    ['first.pem', 'locked.key', /the key in locked\.key is encrypted/],
  ];
  for (const [certificate, key, message] of cases) {
    const found = lines(`{ certificate: ${certificate}, key: ${key} }`);
    assert.equal(found.length, 1, found.join('\n'));
    assert.match(found[0] ?? '', message);
  }
});

test('a key that TLS refuses although it belongs: 512 bits', () => {
  const args = [
    'req',
    '-x509',
    '-newkey',
    'rsa:512',
    '-nodes',
    '-subj',
    '/CN=weak',
    '-days',
    '2',
    '-keyout',
    'weak.key',
    '-out',
    'weak.pem',
  ];
  execFileSync('openssl', args, { cwd: folder, stdio: 'ignore' });
  chmodSync(join(folder, 'weak.key'), 0o600);
  assert.match(lines('{ certificate: weak.pem, key: weak.key }').join('\n'), /TLS does not accept weak\.key/);
});

test('RFC 9325 §7: a key that others may read is a warning', () => {
  write('open.key', first.keyPem, 0o644);
  const found = lines('{ certificate: first.pem, key: open.key }');
  assert.equal(found.length, 1);
  assert.match(
    found[0] ?? '',
    /warning: others on this machine may read or change open\.key.*Found mode 0644, expected mode 0600/,
  );
  assert.notEqual(load('{ certificate: first.pem, key: open.key }').config, null);
});

test('a certificate that has ended, or has not begun, is a warning', () => {
  const at = (days: number) => ({ ...systemClock, wallMs: () => Date.now() + days * 86_400_000 });
  const tls = '{ certificate: first.pem, key: first.key }';
  assert.match(lines(tls, '', at(5)).join('\n'), /warning: the certificate in first\.pem ended on \d{4}-\d\d-\d\d/);
  assert.match(lines(tls, '', at(-5)).join('\n'), /warning: the certificate in first\.pem is not valid before/);
});

test('certificate and key belong together, and at least one pair is needed', () => {
  assert.match(lines('{ certificate: first.pem }').join('\n'), /tls has a certificate and no key/);
  assert.match(lines('{ key: first.key }').join('\n'), /tls has a key and no certificate/);
  assert.match(lines('{}').join('\n'), /tls has no certificate/);
  assert.match(
    lines('{ certificate: first.pem, key: first.key }', '{ key: second.key }').join('\n'),
    /tls has a key and no certificate/,
  );
});

test('a certificate without names, beside others, can never be chosen', () => {
  write('nameless.pem', authority.caPem, 0o644);
  const found = lines(
    '{ certificates: [{ certificate: first.pem, key: first.key }, { certificate: nameless.pem, key: first.key }] }',
  );
  assert.match(found.join('\n'), /warning: this certificate names no server/);
});
