/**
 * Open loop: request k is due at start + k/rate whatever the answers do, and its latency runs from that moment, so a stall
 * is felt by every request that was due in it (no coordinated omission). A due request takes any free connection; with none
 * free it waits, and the wait counts.
 *
 * Usage: open-loop.ts PORT RATE CONNECTIONS DURATION_S ORIGIN_PORT. Prints one RESULT line.
 * The origin of these requests (`/due`) is in the same event loop: with a process of its own, the two would wait for each other
 * on a machine of two cores, and that wait would be measured. The loop spins, because an idle wait is rounded up to a
 * millisecond. `lateP99Us` says how late the generator itself sent: its part of the latency, the same for every contender.
 */
import { once } from 'node:events';
import { connect, createServer, Socket, type SocketConstructorOpts } from 'node:net';
import { createLatencies } from './latencies.ts';

const [port, rateText, connectionsText, durationText, originPort] = process.argv.slice(2);
const periodMs = 1000 / Number(rateText);
const durationMs = Number(durationText) * 1000;
const WARM_UP_MS = 500; // its latencies are not counted: connections are new, code is cold
const GIVE_UP_MS = 5000;

const request = Buffer.from('GET /due HTTP/1.1\r\nHost: localhost\r\n\r\n');
const reply = Buffer.from('HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 13\r\n\r\nhello, world\n');
const latencies = createLatencies();
const lateness = createLatencies();

interface Connection {
  readonly socket: Socket;
  dueMs: number;
  /** True while an answer has begun and not ended. */
  begun: boolean;
  lastByte: number;
}

const free: Connection[] = []; // a stack: the rate decides how many connections are in use, the rest stay cold
let errors = 0;
let sent = 0;
let answered = 0;
let startMs = 0;
let countFromMs = 0;

const NEWLINE = 0x0a;

/** Only the status and the end are looked at, and nothing is allocated: a collection would show as latency. */
function onBytes(connection: Connection, buffer: Buffer, bytes: number): void {
  if (!connection.begun && buffer[9] !== 0x32) errors += 1; // `HTTP/1.1 2`
  const beforeLast = bytes > 1 ? buffer[bytes - 2] : connection.lastByte;
  connection.lastByte = buffer[bytes - 1] ?? 0;
  // Lines of a head end in CR LF, so `d` LF is the end of the body and of nothing else.
  connection.begun = !(connection.lastByte === NEWLINE && beforeLast === 0x64);
  if (connection.begun) return;
  if (connection.dueMs >= countFromMs) latencies.record((performance.now() - connection.dueMs) * 1000);
  answered += 1;
  free.push(connection);
}

async function open(): Promise<void> {
  const buffer = Buffer.allocUnsafeSlow(16 * 1024);
  const onread = {
    buffer,
    callback(bytes: number): boolean {
      onBytes(connection, buffer, bytes);
      return true;
    },
  };
  const socket = connect({ port: Number(port), host: '127.0.0.1', noDelay: true, onread });
  const connection: Connection = { socket, dueMs: 0, begun: false, lastByte: 0 };
  await once(socket, 'connect');
  socket.on('error', () => {});
  socket.on('close', () => {
    errors += 1; // whether or not a request was under way: nobody was asked to close
    const at = free.indexOf(connection);
    if (at !== -1) free.splice(at, 1);
  });
  free.push(connection);
}

/**
 * Answers on an accepted connection. The public interface gives an accepted socket a new 64 KB buffer for every read, and
 * collecting those took milliseconds; so its handle moves to a socket that reads into one buffer.
 * WHY: `handle` and `_handle` are Node's internals. This is the load generator, which runs on the pinned Node alone.
 */
function serve(accepted: Socket): void {
  const { _handle: handle } = accepted as unknown as { _handle: unknown };
  const buffer = Buffer.allocUnsafeSlow(16 * 1024);
  const onread = {
    buffer,
    // One request at a time on a connection: it has ended when its empty line has come.
    callback(bytes: number): boolean {
      if (buffer[bytes - 1] === NEWLINE && (bytes < 4 || buffer[bytes - 3] === NEWLINE)) socket.write(reply);
      return true;
    },
  };
  const socket = new Socket({ handle, onread } as unknown as SocketConstructorOpts);
  socket.on('error', () => socket.destroy());
  socket.read(0);
}

function turn(): void {
  const nowMs = performance.now();
  const endMs = countFromMs + durationMs;
  for (let dueMs = startMs + sent * periodMs; dueMs <= nowMs && dueMs < endMs; dueMs = startMs + sent * periodMs) {
    const connection = free.pop();
    if (connection === undefined) break;
    if (dueMs >= countFromMs) lateness.record((performance.now() - dueMs) * 1000);
    sent += 1;
    connection.dueMs = dueMs;
    connection.socket.write(request);
  }
  if (nowMs >= endMs && (answered >= sent || nowMs > endMs + GIVE_UP_MS)) finish();
  else setImmediate(turn);
}

function finish(): void {
  const result = {
    requests: answered,
    durationS: (WARM_UP_MS + durationMs) / 1000,
    p50Us: latencies.quantile(0.5),
    p99Us: latencies.quantile(0.99),
    lateP99Us: lateness.quantile(0.99),
    errors: errors + (sent - answered),
  };
  process.stdout.write(`RESULT ${JSON.stringify(result)}\n`, () => process.exit());
}

const server = createServer({ noDelay: true, pauseOnConnect: true }, serve).listen(
  Number(originPort),
  '127.0.0.1',
  4096,
);
await once(server, 'listening');
for (let opened = 0; opened < Number(connectionsText); opened++) await open();
startMs = performance.now();
countFromMs = startMs + WARM_UP_MS;
turn();
