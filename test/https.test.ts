/** HTTPS end to end: a real `spillway up` with two workers, certificates in files, clients and servers of `node:tls`. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, test } from 'node:test';
import { connect, type ConnectionOptions, type TLSSocket } from 'node:tls';
import { Authority, type KeyPair } from './certificates.ts';
import { CliProcess } from './cli-process.ts';

const authority = new Authority();
const home = mkdtempSync(join(tmpdir(), 'spillway-https-'));
const sockets = new Set<TLSSocket>();
const servers = new Set<Server>();
afterEach(() => {
  for (const socket of sockets) socket.destroy();
  for (const server of servers) server.close().closeAllConnections();
  sockets.clear();
  servers.clear();
});
after(() => {
  authority[Symbol.dispose]();
  rmSync(home, { recursive: true });
});

async function listen(server: Server): Promise<string> {
  servers.add(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** A server that says `hello` and counts who connects. */
async function plainOrigin() {
  const server = createServer((_request, response) => void response.end('hello'));
  let connections = 0;
  server.on('connection', () => (connections += 1));
  return { address: await listen(server), connections: () => connections };
}

function secureOrigin({ certificatePem, keyPem }: KeyPair): Promise<string> {
  return listen(createSecureServer({ cert: certificatePem, key: keyPem }, (_, response) => void response.end('hello')));
}

let runs = 0;

/** A gateway in a folder of its own, with what its config names beside it. */
class Run implements AsyncDisposable {
  readonly folder = join(home, String(++runs));
  #process: CliProcess | null = null;

  constructor(files: Readonly<Record<string, string>>) {
    mkdirSync(this.folder);
    for (const [name, text] of Object.entries(files)) this.write(name, text);
  }

  /** Puts a file in place as a certificate tool does: written beside it, then renamed. */
  write(name: string, text: string): void {
    const path = join(this.folder, name);
    writeFileSync(`${path}.new`, text, { mode: 0o600 });
    renameSync(`${path}.new`, path);
  }

  writePair(name: string, { certificatePem, keyPem }: KeyPair): void {
    this.write(`${name}.pem`, certificatePem);
    this.write(`${name}.key`, keyPem);
  }

  async up(lines: readonly string[]): Promise<CliProcess> {
    this.write('spillway.yaml', [...lines, 'admin: { address: "127.0.0.1:0" }', 'workers: 2', ''].join('\n'));
    this.#process = new CliProcess(['up'], { cwd: this.folder });
    await this.#process.printed(/Ctrl-C drains/);
    return this.#process;
  }

  /** The port of a listener, from the screen. */
  port(listener = 'web'): number {
    return Number(
      new RegExp(`^ +(?:listener +)?${listener} +https://127\\.0\\.0\\.1:(\\d+)`, 'm').exec(this.#process!.err)?.[1],
    );
  }

  async metric(name: string): Promise<number> {
    const admin = /admin +(http:\S+)/.exec(this.#process!.err)?.[1];
    const text = await (await fetch(`${admin}/metrics`)).text();
    return Number(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'm').exec(text)?.[1]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process?.[Symbol.asyncDispose]();
  }
}

function shopOn(endpoint: string): string[] {
  return [`services: [{ name: shop, endpoints: ["${endpoint}"] }]`, 'routes: [{ service: shop }]'];
}

function listener(tls: string, name = 'web'): string {
  return `  - { name: ${name}, address: "127.0.0.1:0", tls: { ${tls} } }`;
}

/** Shakes hands; rejects with what the handshake ended with. */
async function shake(port: number, options: ConnectionOptions = {}) {
  const given = { host: '127.0.0.1', port, ca: authority.caPem, checkServerIdentity: () => undefined, ...options };
  const socket = connect(given);
  sockets.add(socket);
  const session = Promise.withResolvers<Buffer>();
  socket.once('session', session.resolve);
  await once(socket, 'secureConnect');
  socket.on('error', () => {});
  return { socket, session: session.promise };
}

/** The names of the certificate that a client of this server name gets. */
async function namesFor(port: number, servername: string): Promise<string | undefined> {
  return (await shake(port, { servername })).socket.getPeerCertificate().subjectaltname;
}

async function refusal(port: number, options: ConnectionOptions): Promise<string> {
  return shake(port, options).then(
    () => 'no refusal',
    (error: NodeJS.ErrnoException) => error.code ?? error.message,
  );
}

/** One request on an open connection: its status, and its body. */
async function ask(socket: TLSSocket, host = 'a.example'): Promise<{ status: number; body: string }> {
  let text = '';
  const read = Promise.withResolvers<void>();
  const onData = (chunk: Buffer): void => {
    text += chunk.toString('latin1');
    const [head = '', body] = text.split('\r\n\r\n');
    if (body?.length === Number(/^content-length: (\d+)/im.exec(head)?.[1])) read.resolve();
  };
  socket.on('data', onData).once('close', () => read.reject(new Error(`closed after: ${text}`)));
  socket.write(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
  await read.promise.finally(() => socket.off('data', onData));
  return { status: Number(text.slice(9, 12)), body: text.split('\r\n\r\n')[1] ?? '' };
}

test('the certificate is chosen by server name; an unknown name gets the first or no handshake (RFC 6066 §3)', async () => {
  await using run = new Run({});
  run.writePair('a', authority.issue(['a.example']));
  run.writePair('b', authority.issue(['b.example', '*.b.example'], { algorithm: 'rsa' }));
  const pairs = 'certificates: [{ certificate: a.pem, key: a.key }, { certificate: b.pem, key: b.key }]';
  const { address } = await plainOrigin();
  await run.up(['listeners:', listener(pairs), listener(`${pairs}, unknownSni: reject`, 'picky'), ...shopOn(address)]);
  const [web, picky] = [run.port(), run.port('picky')];
  for (const port of [web, picky]) {
    assert.equal(await namesFor(port, 'a.example'), 'DNS:a.example');
    assert.equal(await namesFor(port, 'B.EXAMPLE'), 'DNS:b.example, DNS:*.b.example');
    assert.equal(await namesFor(port, 'x.b.example'), 'DNS:b.example, DNS:*.b.example');
    const { socket } = await shake(port, { servername: 'b.example' });
    assert.deepEqual(await ask(socket, 'b.example'), { status: 200, body: 'hello' });
  }
  assert.equal(await namesFor(web, 'other.example'), 'DNS:a.example');
  assert.equal(await namesFor(web, ''), 'DNS:a.example');
  for (const servername of ['other.example', '']) {
    assert.equal(await refusal(picky, { servername }), 'ERR_SSL_SSL/TLS_ALERT_HANDSHAKE_FAILURE');
  }
});

test('TLS 1.2 and 1.3 are spoken, below not; ALPN is http/1.1, nothing, or refused (RFC 9325 §3.1, RFC 7301 §3.2)', async () => {
  await using run = new Run({});
  run.writePair('a', authority.issue(['a.example']));
  const pair = 'certificate: a.pem, key: a.key';
  const { address } = await plainOrigin();
  await run.up(['listeners:', listener(pair), listener(`${pair}, minVersion: 1.3`, 'new'), ...shopOn(address)]);
  const [web, strict] = [run.port(), run.port('new')];
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    const { socket } = await shake(web, {
      minVersion: version,
      maxVersion: version,
      ALPNProtocols: ['h2', 'http/1.1'],
    });
    assert.deepEqual([socket.getProtocol(), socket.alpnProtocol], [version, 'http/1.1']);
    assert.deepEqual(await ask(socket), { status: 200, body: 'hello' });
  }
  const { socket } = await shake(web);
  assert.equal(socket.alpnProtocol, false);
  assert.deepEqual(await ask(socket), { status: 200, body: 'hello' });
  assert.equal(await refusal(web, { ALPNProtocols: ['h2'] }), 'ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL');
  const old = { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const;
  assert.equal(await refusal(web, old), 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION');
  assert.equal(await refusal(strict, { maxVersion: 'TLSv1.2' }), 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION');
  const modern = await shake(strict);
  assert.deepEqual(await ask(modern.socket), { status: 200, body: 'hello' });
});

for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
  test(`a session of ${version} resumes on every worker (RFC 8446 §2.2, RFC 5077)`, async () => {
    await using run = new Run({});
    run.writePair('a', authority.issue(['a.example']));
    const { address, connections } = await plainOrigin();
    await run.up(['listeners:', listener('certificate: a.pem, key: a.key'), ...shopOn(address)]);
    const options = { servername: 'a.example', minVersion: version, maxVersion: version };
    const first = await shake(run.port(), options);
    assert.equal(first.socket.isSessionReused(), false);
    const session = await first.session;
    let resumed = 0;
    // Each worker has connections of its own to the server: the second one is the other worker's.
    while (connections() < 2) {
      const again = await shake(run.port(), { ...options, session });
      assert.equal(again.socket.isSessionReused(), true);
      assert.deepEqual(await ask(again.socket), { status: 200, body: 'hello' });
      resumed += 1;
    }
    assert.equal(await run.metric('spillway_tls_resumptions_total'), resumed);
  });
}

test('certificates replaced on disk serve new connections, open ones live on, a broken file changes nothing', async () => {
  await using run = new Run({});
  run.writePair('a', authority.issue(['old.example']));
  const { address } = await plainOrigin();
  const gateway = await run.up(['listeners:', listener('certificate: a.pem, key: a.key'), ...shopOn(address)]);
  const { socket } = await shake(run.port());
  const stays = async (): Promise<void> => {
    assert.deepEqual(await ask(socket), { status: 200, body: 'hello' });
    assert.equal(socket.getPeerCertificate().subjectaltname, 'DNS:old.example');
  };
  await stays();

  run.write('a.pem', 'not a certificate\n');
  await gateway.printed(/reload refused, config 1 goes on: .*\n.*a\.pem holds no certificate/);
  assert.equal(await namesFor(run.port(), ''), 'DNS:old.example');
  await stays();

  run.writePair('a', authority.issue(['new.example']));
  await gateway.printed(/reloaded: config 2 is in use\n +listener web: tls\.certificates changed/);
  assert.equal(await namesFor(run.port(), ''), 'DNS:new.example');
  await stays();
  assert.equal(await run.metric('spillway_worker_restarts_total'), 0);
});

test('a server whose certificate is for another name, or of nobody we trust, gets no request (RFC 9525 §6)', async () => {
  using stranger = new Authority('Somebody else');
  await using run = new Run({ 'ca.pem': authority.caPem });
  run.writePair('a', authority.issue(['a.example']));
  const good = await secureOrigin(authority.issue(['shop.internal', '127.0.0.1']));
  const foreign = await secureOrigin(stranger.issue(['shop.internal', '127.0.0.1']));
  const service = (name: string, endpoint: string, tls: string, more = ''): string =>
    `  - { name: ${name}, endpoints: ["${endpoint}"], tls: { ca: ca.pem${tls} }${more} }`;
  // Time enough for the handshake on any machine: it is not to fail for another reason first.
  const checked = ', health: { active: { path: /, interval: 30s, timeout: 30s, unhealthyAfter: 1 } }';
  const services = [
    service('by-address', good, ''),
    service('by-name', good, ', serverName: shop.internal'),
    service('wrong-name', good, ', serverName: other.internal'),
    service('foreign', foreign, ', serverName: shop.internal'),
    service('checked', good, ', serverName: other.internal', checked),
  ];
  const names = ['by-address', 'by-name', 'wrong-name', 'foreign', 'checked'];
  const routes = names.map((name) => `  - { match: { host: ${name}.example }, service: ${name} }`);
  const gateway = await run.up([
    'listeners:',
    listener('certificate: a.pem, key: a.key'),
    'services:',
    ...services,
    'routes:',
    ...routes,
  ]);
  const { socket } = await shake(run.port());
  for (const name of ['by-address', 'by-name']) {
    assert.deepEqual(await ask(socket, `${name}.example`), { status: 200, body: 'hello' });
  }
  for (const name of ['wrong-name', 'foreign']) {
    const { status, body } = await ask(socket, `${name}.example`);
    // The client hears that it is not its fault, and no more.
    assert.deepEqual([status, (JSON.parse(body) as { code: string }).code], [502, 'connect_failed']);
  }
  await gateway.printed(new RegExp(`${good} of checked is down: its certificate is for another name`));
});
