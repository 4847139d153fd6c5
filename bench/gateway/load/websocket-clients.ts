/**
 * WebSocket connections that each send a 100-byte message when the last one has come back (closed loop).
 *
 * Usage: websocket-clients.ts PORT CONNECTIONS DURATION_S. Prints one RESULT line; `requests` are round trips.
 */
import { connect } from 'node:net';
import { createLatencies } from './latencies.ts';
import { frameOf } from './websocket-frames.ts';

const [port, connectionsText, durationText] = process.argv.slice(2);
const durationMs = Number(durationText) * 1000;
const payload = Buffer.alloc(100, 'x');
const frame = frameOf(payload, Buffer.from([1, 2, 3, 4]));
const echoBytes = payload.length + 2; // a server's frame has no mask
const upgrade = [
  'GET /ws HTTP/1.1',
  'Host: localhost',
  'Connection: Upgrade',
  'Upgrade: websocket',
  'Sec-WebSocket-Version: 13',
  'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
  '\r\n',
].join('\r\n');
const latencies = createLatencies();
let errors = 0;

function open(): void {
  const socket = connect({ port: Number(port), host: '127.0.0.1', noDelay: true });
  let open = false;
  let missing = 0;
  let sentMs = 0;
  const send = (): void => {
    missing = echoBytes;
    sentMs = performance.now();
    socket.write(frame);
  };
  socket.on('connect', () => socket.write(upgrade));
  socket.on('data', (bytes) => {
    if (!open) {
      open = bytes.toString('latin1', 0, 12) === 'HTTP/1.1 101';
      if (!open) socket.destroy();
      else send(); // the server speaks only when spoken to, so nothing follows the head
      return;
    }
    missing -= bytes.length;
    if (missing > 0) return;
    latencies.record((performance.now() - sentMs) * 1000);
    send();
  });
  socket.on('error', () => {});
  socket.on('close', () => (errors += 1));
}

for (let at = 0; at < Number(connectionsText); at++) open();
setTimeout(() => {
  const requests = latencies.count();
  const result = {
    requests,
    durationS: durationMs / 1000,
    p50Us: latencies.quantile(0.5),
    p99Us: latencies.quantile(0.99),
    errors,
  };
  process.stdout.write(`RESULT ${JSON.stringify(result)}\n`, () => process.exit());
}, durationMs);
