/**
 * Slow readers and writers: memory stays bounded, and every byte arrives, in its place. A read buffer that is shared by all
 * connections of a thread, or lent to a write, shows here as a wrong byte if it is used too early.
 */
import assert from 'node:assert/strict';
import { type Bench, eventually, onBoth, type TestGateway } from '../../../test/engine/bench.ts';
import type { Peer } from '../../../test/engine/peer.ts';
import { turn } from '../../../test/engine/peer.ts';
import { ByteStream, ChunkReader } from '../../../test/engine/stream.ts';

const MB = 1024 * 1024;

/** Reads a message whose body is `body`: the head by text, the rest by `check`, which a pause now and then slows down. */
async function drainBody(peer: Peer, body: ByteStream, framing: 'length' | 'chunked', pauseEvery = 0): Promise<void> {
  await peer.until('a head', () => peer.text.includes('\r\n\r\n'));
  const end = peer.text.indexOf('\r\n\r\n') + 4;
  assert.doesNotMatch(peer.text.slice(0, 400), /^HTTP\/1\.1 [45]/);
  const rest = Buffer.from((await peer.bytes(peer.received.length)).subarray(end));
  const reader = framing === 'chunked' ? new ChunkReader((bytes) => body.check(bytes)) : null;
  let sincePause = 0;
  const take = (bytes: Buffer): void => {
    // What follows the body is the next message's.
    const own = reader === null ? bytes.subarray(0, body.length - body.at) : bytes;
    if (reader === null) body.check(own);
    else reader.read(own);
    if (own.length < bytes.length) peer.putBack(bytes.subarray(own.length));
    sincePause += bytes.length;
    if (pauseEvery === 0 || sincePause < pauseEvery) return;
    sincePause = 0;
    peer.pause();
    void turn()
      .then(turn)
      .then(turn)
      .then(() => peer.resume());
  };
  let failure: unknown = null;
  peer.sink = (bytes) => {
    try {
      take(bytes);
    } catch (error) {
      failure ??= error;
    }
  };
  take(rest);
  await peer.until(`all ${body.length} bytes`, () => {
    if (failure !== null) throw failure as Error;
    return body.done && (reader === null || reader.ended);
  });
  peer.sink = null;
}

/** Writes a body in pieces of `size`, chunked or plain, as fast as it is taken. */
async function pourBody(peer: Peer, body: ByteStream, framing: 'length' | 'chunked', size: number): Promise<void> {
  await peer.pour(() => {
    const piece = body.next(size);
    if (piece === null || framing === 'length') return piece;
    return Buffer.concat([Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from('\r\n')]);
  });
  if (framing === 'chunked') peer.write('0\r\n\r\n');
}

function framingField(framing: 'length' | 'chunked', bytes: number): string {
  return framing === 'length' ? `Content-Length: ${bytes}` : 'Transfer-Encoding: chunked';
}

/** Follows the most memory that is lent out while something runs. */
function watchMemory(gateway: TestGateway): { mostBytes: number; stop(): void } {
  const watch = { mostBytes: 0, stop: () => {} };
  let stopped = false;
  const look = (): void => {
    watch.mostBytes = Math.max(watch.mostBytes, gateway.bufferedBytes);
    if (!stopped) setImmediate(look);
  };
  watch.stop = () => {
    stopped = true;
  };
  look();
  return watch;
}

for (const framing of ['length', 'chunked'] as const) {
  onBoth(
    `RFC 9110 §17.5: 300 MB through a slow reader cost no more than a few buffers: response, ${framing}`,
    async (bench) => {
      const bytes = 300 * MB;
      const { origin, gateway, client } = await bench.line();
      client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
      const server = await origin.accept();
      await server.request();
      const startRss = process.memoryUsage().rss;
      const watch = watchMemory(gateway);
      server.write(`HTTP/1.1 200 OK\r\n${framingField(framing, bytes)}\r\n\r\n`);
      const poured = pourBody(server, new ByteStream(1, bytes), framing, 256 * 1024);
      await drainBody(client, new ByteStream(1, bytes), framing, 2 * MB);
      await poured;
      watch.stop();
      assert.ok(watch.mostBytes <= 512 * 1024, `${watch.mostBytes} bytes were lent out`);
      const grown = process.memoryUsage().rss - startRss;
      assert.ok(grown < 150 * MB, `the process has grown by ${Math.round(grown / MB)} MB`);
    },
  );

  onBoth(
    `RFC 9110 §17.5: 300 MB into a slow server cost no more than a few buffers: request, ${framing}`,
    async (bench) => {
      const bytes = 300 * MB;
      const { origin, gateway, client } = await bench.line();
      const startRss = process.memoryUsage().rss;
      const watch = watchMemory(gateway);
      client.write(`PUT / HTTP/1.1\r\nHost: a\r\n${framingField(framing, bytes)}\r\n\r\n`);
      const poured = pourBody(client, new ByteStream(2, bytes), framing, 256 * 1024);
      const server = await origin.accept();
      await drainBody(server, new ByteStream(2, bytes), framing, 2 * MB);
      await poured;
      watch.stop();
      server.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
      assert.equal((await client.response()).status, 200);
      assert.ok(watch.mostBytes <= 512 * 1024, `${watch.mostBytes} bytes were lent out`);
      const grown = process.memoryUsage().rss - startRss;
      assert.ok(grown < 150 * MB, `the process has grown by ${Math.round(grown / MB)} MB`);
    },
  );
}

onBoth('a reader that stops holds the server back', async (bench) => {
  const { origin, client } = await bench.line();
  client.pause();
  client.write('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  const server = await origin.accept();
  await server.request();
  server.write(`HTTP/1.1 200 OK\r\nContent-Length: ${300 * MB}\r\n\r\n`);
  const body = new ByteStream(3, 300 * MB);
  const poured = server.pour(() => body.next(256 * 1024));
  await stuck(() => body.at);
  assert.ok(body.at < 60 * MB, 'only what the sockets of the kernel hold has left the server');
  client.destroy();
  await server.gone();
  await poured;
});

onBoth('a server that stops reading holds the client back', async (bench) => {
  const { origin, client } = await bench.line();
  client.write(`PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: ${300 * MB}\r\n\r\n`);
  const server = await origin.accept();
  server.pause();
  const body = new ByteStream(3, 300 * MB);
  const poured = client.pour(() => body.next(256 * 1024));
  await stuck(() => body.at);
  assert.ok(body.at < 60 * MB, 'only what the sockets of the kernel hold has left the client');
  client.destroy();
  await poured;
});

/** Waits until a number has not moved for many turns of the event loop. */
async function stuck(read: () => number): Promise<void> {
  for (let still = 0, last = -1; still < 100;) {
    await turn();
    const now = read();
    still = now === last ? still + 1 : 0;
    last = now;
  }
}

interface Mix {
  readonly framing: 'length' | 'chunked';
  readonly bytes: number;
  readonly pauseEvery: number;
}

const mixes: readonly Mix[] = [
  { framing: 'length', bytes: 12 * MB, pauseEvery: 0 },
  { framing: 'length', bytes: 12 * MB, pauseEvery: 300_000 },
  { framing: 'chunked', bytes: 12 * MB, pauseEvery: 0 },
  { framing: 'chunked', bytes: 12 * MB, pauseEvery: 300_000 },
  { framing: 'length', bytes: 40_000, pauseEvery: 0 },
  { framing: 'chunked', bytes: 40_000, pauseEvery: 10_000 },
  { framing: 'length', bytes: 150_000, pauseEvery: 50_000 },
];

/** One exchange that carries its own bytes both ways at once: the server echoes another stream while it reads. */
async function bothWays(bench: Bench, gateway: TestGateway, client: Peer, seed: number, rounds: number): Promise<void> {
  for (let round = 0; round < rounds; round += 1) {
    const up = mixes[(seed + round) % mixes.length]!;
    const down = mixes[(seed * 3 + round) % mixes.length]!;
    const id = seed * 1000 + round;
    client.write(
      `PUT /?id=${id}&up=${up.bytes}&upFraming=${up.framing}&upPause=${up.pauseEvery}&down=${down.bytes}&downFraming=${down.framing} HTTP/1.1\r\nHost: a\r\n${framingField(up.framing, up.bytes)}\r\n\r\n`,
    );
    const sent = pourBody(client, new ByteStream(id, up.bytes), up.framing, 1000 + ((id * 7919) % 200_000));
    const got = drainBody(client, new ByteStream(id + 500, down.bytes), down.framing, down.pauseEvery);
    await Promise.all([sent, got]);
  }
}

/** Serves `bothWays`: checks what comes and answers with the other stream, at the same time or afterwards. */
async function serveBothWays(server: Peer): Promise<void> {
  for (;;) {
    await server.until('a head', () => server.text.includes('\r\n\r\n'));
    const query = new URLSearchParams(/\?(\S+)/.exec(server.text)![1]);
    const id = Number(query.get('id'));
    const framing = query.get('upFraming') as 'length' | 'chunked';
    await drainBody(server, new ByteStream(id, Number(query.get('up'))), framing, Number(query.get('upPause')));
    const bytes = Number(query.get('down'));
    const downFraming = query.get('downFraming') as 'length' | 'chunked';
    server.write(`HTTP/1.1 200 OK\r\n${framingField(downFraming, bytes)}\r\n\r\n`);
    await pourBody(server, new ByteStream(id + 500, bytes), downFraming, 1000 + ((id * 104_729) % 200_000));
  }
}

onBoth('bodies on many connections at once, slow and fast, arrive byte for byte', async (bench) => {
  const origin = await bench.origin();
  const gateway = await bench.gateway([origin]);
  const failures: unknown[] = [];
  const clients = await Promise.all(Array.from({ length: 24 }, async () => await bench.client(gateway)));
  const serving = (async () => {
    for (;;) {
      const server = await origin.accept();
      serveBothWays(server).catch((error: unknown) => {
        if (!server.closed) failures.push(error);
      });
    }
  })();
  void serving;
  await Promise.all(clients.map(async (client, seed) => await bothWays(bench, gateway, client, seed, 4)));
  assert.deepEqual(failures, []);
});

/**
 * The beginning of a long body waits in the client's own memory until there is a connection. If the endpoint's socket is full
 * at that moment, its write stays pending, and the memory must not be given to another connection before it has left.
 * How much a socket holds is the kernel's affair, so the amount that fills it is searched for.
 */
async function waitInFullSocket(bench: Bench, fillBytes: number): Promise<boolean> {
  const origin = await bench.origin();
  const gateway = await bench.gateway([origin], { serviceLimits: { connectionsMax: 1 } });
  const [client, other] = [await bench.client(gateway), await bench.client(gateway)];
  // A first long body, after which the client's wire reads into memory of its own.
  client.write(`PUT /first HTTP/1.1\r\nHost: a\r\nContent-Length: ${MB}\r\n\r\n`);
  void pourBody(client, new ByteStream(1, MB), 'length', 100_000);
  const server = await origin.accept();
  await drainBody(server, new ByteStream(1, MB), 'length');
  server.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
  await client.response();
  // The server does not read; its socket is filled by a body that is answered nevertheless.
  server.pause();
  other.write(`PUT /fill HTTP/1.1\r\nHost: a\r\nContent-Length: ${fillBytes}\r\n\r\n`);
  const fill = new ByteStream(2, fillBytes);
  await pourBody(other, fill, 'length', 100_000);
  const second = new ByteStream(3, 4 * MB);
  // A long head that comes in two pieces, so that the first read behind it holds more than fits beside the head.
  await client.flushed(`PUT /second HTTP/1.1\r\nHost: a\r\nX: ${'y'.repeat(20_000)}\r\n`);
  client.write(Buffer.concat([Buffer.from(`Content-Length: ${4 * MB}\r\n\r\n`), second.next(300_000)!]));
  const poured = pourBody(client, second, 'length', 300_000);
  await eventually('it queues', () => gateway.endpoint('queued') === 1);
  await stuck(() => second.at);
  server.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
  await other.response();
  // Meanwhile other connections use the memory that is free.
  const before = gateway.bufferedBytes;
  const busy = await Promise.all(Array.from({ length: 8 }, async () => await bench.client(gateway)));
  for (const each of busy) each.write(`PUT /busy HTTP/1.1\r\nHost: a\r\nX: ${'z'.repeat(12_000)}`);
  await eventually('they hold memory', () => gateway.bufferedBytes >= before + 8 * 12_000);
  server.resume();
  const fits = gateway.endpoint('connects') === 1;
  const last = fits ? server : await origin.accept();
  if (fits) await drainBody(server, new ByteStream(2, fillBytes), 'length');
  await drainBody(last, new ByteStream(3, 4 * MB), 'length');
  await poured;
  last.write('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
  await client.response();
  return fits;
}

onBoth('a body that waited for a connection is not overwritten while its write is pending', async (bench) => {
  let fillBytes = MB;
  while (await waitInFullSocket(bench, fillBytes)) fillBytes += 256 * 1024;
  fillBytes -= 256 * 1024;
  while (await waitInFullSocket(bench, fillBytes)) fillBytes += 16 * 1024;
});

onBoth('refusals to a client that does not read are held back, not piled up', async (bench) => {
  const { client, gateway } = await bench.line();
  client.pause();
  const requests = Buffer.from('GET /%00 HTTP/1.1\r\nHost: a\r\n\r\n'.repeat(1000));
  let sent = 0;
  void client.pour(() => {
    sent += 1;
    return sent <= 600 ? requests : null;
  });
  await stuck(() => sent);
  assert.ok(sent < 500, 'the client is held back');
  const answered = gateway.refusals('bad_path');
  client.sink = () => {};
  client.resume();
  await eventually('it goes on', () => gateway.refusals('bad_path') > answered + 1000);
});

for (const framing of ['length', 'chunked'] as const) {
  onBoth(
    `RFC 9110 §17.5: connections that carried a long body keep no memory while they are idle, ${framing}`,
    async (bench) => {
      const { client, origin, gateway } = await bench.line();
      const field = framing === 'length' ? `Content-Length: ${MB}` : 'Transfer-Encoding: chunked';
      // Twice on the same connections: what was given back is asked for again.
      for (let round = 0; round < 2; round += 1) {
        const body = new ByteStream(round, MB);
        client.write(`PUT / HTTP/1.1\r\nHost: a\r\n${field}\r\n\r\n`);
        const sent = pourBody(client, body, framing, 100_000);
        const server = origin.connections[0] ?? (await origin.accept());
        await drainBody(server, new ByteStream(round, MB), framing);
        await sent;
        server.write(`HTTP/1.1 200 OK\r\n${field}\r\n\r\n`);
        const answered = pourBody(server, new ByteStream(round, MB), framing, 100_000);
        await drainBody(client, new ByteStream(round, MB), framing);
        await answered;
        await eventually('both are idle', () => gateway.endpoint('idle') === 1);
        assert.equal(gateway.bufferedBytes, 0);
      }
      assert.equal(origin.connections.length, 1);
    },
  );
}
