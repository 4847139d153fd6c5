/**
 * Open loop: request k is due at start + k/rate whatever the answers do, and its latency runs from that moment, so a stall
 * is felt by every request that was due in it (no coordinated omission). A due request takes any free connection; with none
 * free it waits, and the wait counts.
 *
 * Usage: open-loop.ts PORT RATE CONNECTIONS DURATION_S [PATH]. Prints one RESULT line.
 * The loop spins (an idle wait would be rounded up to a millisecond), at the lowest priority so that an origin on the same core
 * is served first. `lateP99Us` says how late the generator itself was: what lies in its part of the latency.
 */
import { connect, type Socket } from 'node:net';
import { createLatencies } from './latencies.ts';

const [port, rateText, connectionsText, durationText, path = '/'] = process.argv.slice(2);
const rate = Number(rateText);
const connectionsMax = Number(connectionsText);
const durationMs = Number(durationText) * 1000;
const WARM_UP_MS = 500; // its answers are not counted: connections are new, code is cold
const GIVE_UP_MS = 5000;

const request = Buffer.from(`GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
const headEnd = Buffer.from('\r\n\r\n');
const latencies = createLatencies();
const lateness = createLatencies();
const free: Connection[] = [];
let errors = 0;
let answered = 0;

interface Connection {
  readonly socket: Socket;
  dueMs: number;
  /** Bytes of the answer still to come; -1 while its head is incomplete. */
  missing: number;
  head: Buffer;
}

function answer(connection: Connection): void {
  if (connection.dueMs >= startMs + WARM_UP_MS) {
    latencies.record((performance.now() - connection.dueMs) * 1000);
    answered += 1;
  }
  free.push(connection);
}

function onBytes(connection: Connection, bytes: Buffer): void {
  if (connection.missing >= 0) {
    connection.missing -= bytes.length;
  } else {
    const head = connection.head.length === 0 ? bytes : Buffer.concat([connection.head, bytes]);
    const end = head.indexOf(headEnd);
    if (end === -1) {
      connection.head = Buffer.from(head);
      return;
    }
    connection.head = empty;
    const text = head.toString('latin1', 0, end);
    if (!text.startsWith('HTTP/1.1 200')) errors += 1;
    connection.missing = Number(/content-length: *(\d+)/i.exec(text)?.[1] ?? 0) - (head.length - end - 4);
  }
  if (connection.missing === 0) answer(connection);
}

const empty = Buffer.alloc(0);

function open(): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({
      port: Number(port),
      host: '127.0.0.1',
      noDelay: true,
      onread: {
        buffer: Buffer.allocUnsafeSlow(16 * 1024),
        callback(bytes, buffer) {
          onBytes(connection, (buffer as Buffer).subarray(0, bytes));
          return true;
        },
      },
    });
    const connection: Connection = { socket, dueMs: 0, missing: -1, head: empty };
    socket.once('connect', () => {
      free.push(connection);
      resolve();
    });
    socket.on('error', reject);
    socket.on('close', () => {
      errors += 1; // an unanswered request; one cannot be sent again without a second chance its rivals did not get
      const at = free.indexOf(connection);
      if (at !== -1) free.splice(at, 1);
    });
  });
}

function send(connection: Connection, dueMs: number): void {
  connection.dueMs = dueMs;
  connection.missing = -1;
  connection.socket.write(request);
}

for (let opened = 0; opened < connectionsMax; opened++) await open();
const startMs = performance.now();
const endMs = startMs + WARM_UP_MS + durationMs;
const periodMs = 1000 / rate;
let sent = 0;
let due = 0;

function turn(): void {
  const nowMs = performance.now();
  // Requests due after the end are not sent; those due before it are, however late.
  for (let dueMs = startMs + due * periodMs; dueMs <= nowMs && dueMs < endMs; dueMs = startMs + due * periodMs) {
    const connection = free.shift();
    if (connection === undefined) break;
    if (dueMs >= startMs + WARM_UP_MS) {
      sent += 1;
      lateness.record((performance.now() - dueMs) * 1000);
    }
    due += 1;
    send(connection, dueMs);
  }
  const over = nowMs >= endMs && (answered >= sent || nowMs > endMs + GIVE_UP_MS);
  if (over) finish();
  else setImmediate(turn);
}

function finish(): void {
  const result = {
    requests: answered,
    durationS: durationMs / 1000,
    p50Us: latencies.quantile(0.5),
    p99Us: latencies.quantile(0.99),
    lateP99Us: lateness.quantile(0.99),
    errors: errors + (sent - answered),
  };
  process.stdout.write(`RESULT ${JSON.stringify(result)}\n`, () => process.exit());
}

turn();
