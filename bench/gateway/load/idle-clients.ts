/**
 * Opens connections, makes one request on each, and holds them open and silent until standard input ends.
 *
 * Usage: idle-clients.ts PORT COUNT [CERTIFICATE GROUPS]. With a certificate, over TLS, offering these groups for the key exchange.
 * Prints `RESULT {"requests":n,…}` when all are idle; `errors` counts those that failed or were closed by the proxy so far.
 */
import { readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';

const [port, countText, certificateFile, ecdhCurve] = process.argv.slice(2);
const count = Number(countText);
const OPENING_MAX = 64; // handshakes at once: enough to keep a core busy, far from any backlog
const ca = certificateFile === undefined ? undefined : readFileSync(certificateFile);
const request = 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n';
let idle = 0;
let errors = 0;
let opened = 0;

function open(): void {
  if (opened === count) return;
  opened += 1;
  const to = { port: Number(port), host: '127.0.0.1' };
  const socket: Socket = ca === undefined ? connect(to) : connectTls({ ...to, ca, ecdhCurve, servername: 'localhost' });
  let answered = false;
  socket.once(ca === undefined ? 'connect' : 'secureConnect', () => socket.write(request));
  socket.on('data', (bytes) => {
    if (answered || !bytes.includes('hello')) return;
    answered = true;
    idle += 1;
    settle();
  });
  socket.on('error', () => {});
  socket.on('close', () => {
    errors += 1;
    if (!answered) settle();
  });
}

function settle(): void {
  open();
  if (idle + errors >= count) {
    process.stdout.write(`RESULT ${JSON.stringify({ requests: idle, durationS: 0, errors })}\n`);
  }
}

for (let at = 0; at < OPENING_MAX; at++) open();
process.stdin.resume().on('end', () => process.exit());
