/**
 * The WebSocket origin: upgrades, then answers each client frame with a server frame of the same payload. It reads only
 * frames of fewer than 126 bytes, which is what websocket-clients.ts sends; also over plain HTTP it answers 200, for health checks.
 *
 * Usage: echo-server.ts PORT
 */
import { createServer } from 'node:http';
import { acceptOf, frameOf } from './websocket-frames.ts';

const server = createServer((_, response) => response.end('hello, world\n'));

server.on('upgrade', (request, socket) => {
  const accept = acceptOf(request.headers['sec-websocket-key'] ?? '');
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
  );
  let rest = Buffer.alloc(0);
  socket.on('data', (bytes: Buffer) => {
    let buffer = rest.length === 0 ? bytes : Buffer.concat([rest, bytes]);
    while (buffer.length >= 6) {
      const length = (buffer[1] ?? 0) & 0x7f;
      if (buffer.length < 6 + length) break;
      const mask = buffer.subarray(2, 6);
      socket.write(
        frameOf(Buffer.from(buffer.subarray(6, 6 + length).map((byte, at) => byte ^ (mask[at & 3] ?? 0))), null),
      );
      buffer = buffer.subarray(6 + length);
    }
    rest = Buffer.from(buffer);
  });
  socket.on('error', () => socket.destroy());
  socket.on('end', () => socket.end());
});

server.listen(Number(process.argv[2]), '127.0.0.1', 4096);
