/**
 * One server of the drill, a process of its own: `node server.ts PORT VERSION`. Tells its port to who started it. It can be
 * asked for something short, for /long, which takes two seconds, and for a WebSocket, on which it says everything back.
 *
 * It does not end in good order: whatever signal it gets, what it is doing is lost. That nothing is lost is the drain's merit.
 * Of RFC 6455 it knows what the drill needs: texts below 126 bytes, and Close.
 */
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';

const LONG_MS = 2000;
const PARTS = 10;
const TEXT = 1;
const CLOSE = 8;

const [port = '0', version = '1'] = process.argv.slice(2);

const server = createServer((request, response) => {
  request.resume();
  response.setHeader('X-Version', version);
  if (request.url !== '/long') {
    response.end('short');
    return;
  }
  let parts = 0;
  const timer = setInterval(() => {
    parts += 1;
    response.write(`part ${parts}\n`);
    if (parts < PARTS) return;
    clearInterval(timer);
    response.end('all of it');
  }, LONG_MS / PARTS);
  response.on('close', () => clearInterval(timer));
});

server.on('upgrade', (request, socket: Duplex) => {
  const key = `${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
  const accept = createHash('sha1').update(key).digest('base64');
  socket.on('error', () => socket.destroy());
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
  );
  let held: Buffer = Buffer.alloc(0);
  socket.on('data', (bytes: Buffer) => {
    held = Buffer.concat([held, bytes]);
    while (held.length >= 6) {
      const length = held[1]! & 127;
      if (held.length < 6 + length) return;
      const mask = held.subarray(2, 6);
      const payload = held.subarray(6, 6 + length).map((byte, at) => byte ^ mask[at % 4]!);
      const opcode = held[0]! & 15;
      held = held.subarray(6 + length);
      if (opcode === TEXT || opcode === CLOSE) socket.write(Buffer.concat([Buffer.of(0x80 | opcode, length), payload]));
      if (opcode === CLOSE) socket.end();
    }
  });
});

server.listen(Number(port), '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port));

// Started by the drill it ends with it, however that ends.
process.on('disconnect', () => process.exit());
