import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { systemClock, type Clock } from '../../kernel/clock.ts';
import { cleanups, config, create, folder, origin } from '../../../test/gateway-under-test.ts';

function certify(home: string, name: string): void {
  const subject = ['-subj', `/CN=${name}`, '-addext', `subjectAltName=DNS:${name}`];
  const key = [
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:prime256v1',
    '-nodes',
    '-keyout',
    join(home, 'new-key.pem'),
  ];
  const made = spawnSync('openssl', [
    'req',
    '-x509',
    '-days',
    '2',
    '-out',
    join(home, 'new-cert.pem'),
    ...key,
    ...subject,
  ]);
  assert.equal(made.status, 0, String(made.stderr));
  writeFileSync(join(home, 'key.pem'), readFileSync(join(home, 'new-key.pem')), { mode: 0o600 });
  writeFileSync(join(home, 'cert.pem'), readFileSync(join(home, 'new-cert.pem')));
}

/** Shakes hands and waits for the ticket, which TLS 1.3 sends after it and only for a new session. */
async function handshake(address: string, session?: Buffer) {
  const [host, port] = address.split(':');
  const socket = connectTls({
    host: host!,
    port: Number(port),
    rejectUnauthorized: false,
    servername: 'x.example',
    ...(session === undefined ? {} : { session }),
  });
  cleanups.push(() => socket.destroy());
  const ticket = new Promise<Buffer>((resolve) => socket.once('session', resolve));
  await new Promise((resolve, reject) => socket.once('secureConnect', resolve).once('error', reject));
  socket.on('error', () => {});
  const name = String(socket.getPeerCertificate().subject?.CN);
  const reused = socket.isSessionReused();
  return { name, socket, reused, session: reused ? session : await ticket };
}

test('TLS certificates are read again when they change, without cutting a connection', async () => {
  const home = folder();
  certify(home, 'one.example');
  const file = join(home, 'spillway.yaml');
  writeFileSync(
    file,
    `listeners: [{ name: web, address: "127.0.0.1:0", tls: { certificate: cert.pem, key: key.pem } }]\nservices: [{ name: shop, endpoints: ["${await origin('one')}"] }]\nroutes: [{ service: shop }]\n`,
  );
  const { gateway, next, address } = create({ file });
  await gateway.start();
  const first = await handshake(address());
  assert.equal(first.name, 'one.example');
  const applied = (): Promise<void> =>
    next('reload').then(({ outcome }) => (outcome.kind === 'applied' ? undefined : applied()));
  const changed = applied();
  certify(home, 'two.example');
  await changed;
  assert.equal((await handshake(address())).name, 'two.example');
  const answer = new Promise<string>((resolve) => first.socket.once('data', (chunk) => resolve(String(chunk))));
  first.socket.write('GET / HTTP/1.1\r\nHost: one.example\r\n\r\n');
  assert.match(await answer, /^HTTP\/1\.1 200 /);
});

test('sessions resume on any worker, until the secret of their tickets is changed after an hour', async () => {
  const hourly: (() => void)[] = [];
  const clock: Clock = {
    ...systemClock,
    every: (periodMs, run, options) => {
      if (periodMs === 3_600_000) hourly.push(run);
      return systemClock.every(periodMs, run, options);
    },
  };
  const home = folder();
  certify(home, 'one.example');
  const tls = { certificate: join(home, 'cert.pem'), key: join(home, 'key.pem') };
  const listeners = [{ name: 'web', address: '127.0.0.1:0', tls }];
  const { gateway, address } = create({ config: config(await origin('one'), { listeners }), clock });
  await gateway.start();
  const first = await handshake(address());
  for (let again = 0; again < 8; again += 1) assert.equal((await handshake(address(), first.session)).reused, true);
  hourly[0]!();
  // A new secret is no new config.
  assert.deepEqual(await gateway.reload(), { kind: 'unchanged', cause: 'call', version: 1 });
  assert.equal((await handshake(address(), first.session)).reused, false);
  const second = await handshake(address());
  assert.equal((await handshake(address(), second.session)).reused, true);
});

test('a reload refused for a file that is not there yet is made up for when it comes', async () => {
  const home = folder();
  certify(home, 'one.example');
  const file = join(home, 'spillway.yaml');
  const endpoint = await origin('one');
  const write = (tls: string): void =>
    writeFileSync(
      file,
      `listeners: [{ name: web, address: "127.0.0.1:0"${tls} }]\nservices: [{ name: shop, endpoints: ["${endpoint}"] }]\nroutes: [{ service: shop }]\n`,
    );
  write('');
  const { gateway, next, address } = create({ file });
  await gateway.start();
  const refused = next('reload');
  write(', tls: { certificate: cert.pem, key: elsewhere.pem }');
  assert.equal((await refused).outcome.kind, 'refused');
  const applied = next('reload');
  writeFileSync(join(home, 'elsewhere.pem'), readFileSync(join(home, 'key.pem')), { mode: 0o600 });
  const { outcome } = await applied;
  assert.equal(outcome.kind, 'applied', outcome.kind === 'refused' ? outcome.problems.join() : '');
  assert.equal((await handshake(address())).name, 'one.example');
});
