/**
 * Nanoseconds for one line of the access log: `npm run bench -- line`.
 * Each figure is the median of rounds that take turns, so a slow moment of the machine hits all of them alike.
 */
import { LINE_BYTES_MAX, LineWriter } from './line.ts';
import type { LogRecord } from './record.ts';

const clientText = Buffer.from('203.0.113.195');
const host = Buffer.from('shop.example');
const id = '0af7651916cd43dd8448eb211c80319c';

function recordOf(target: string, fields: readonly string[]): LogRecord {
  const text = [`GET ${target} HTTP/1.1`, 'Host: shop.example', ...fields, ''].join('\r\n');
  const head = Buffer.from(`${text}X-Request-Id: ${id}\r\n`, 'latin1');
  const idFrom = head.length - 34;
  const offset = (name: string): number => {
    const at = text.indexOf(`\n${name}:`);
    return at < 0 ? -1 : at - text.indexOf('\n');
  };
  return {
    ...{ userAgentOffset: offset('User-Agent'), refererOffset: offset('Referer') },
    ...{ wallMs: 0, head, headFrom: 0, headTo: text.length, minorVersion: 1, host, hostFrom: 0, hostTo: host.length },
    ...{
      requestIdFrom: idFrom,
      requestIdTo: idFrom + 32,
      trace: head,
      traceFrom: idFrom,
      spanHigh: 1,
      spanLow: 2,
      status: 200,
      bytesIn: 0,
      bytesOut: 12_345,
    },
    ...{ clientText, clientLength: clientText.length, listener: 'web', route: 'shop', service: 'shop', tls: 'TLSv1.3' },
    ...{
      askedPath: new Uint8Array(0),
      arm: '',
      limit: '',
      mirrored: false,
      endpoint: '127.0.0.1:9001',
      attempts: 1,
      reused: true,
      waitMs: 0.012,
      connectMs: -1,
      tlsMs: -1,
      firstByteMs: 1.25,
    },
    ...{ bodyMs: 0.5, clientMs: 0.001, totalMs: 1.75, verdict: 'ok', refusal: '', end: 'ok' },
  };
}

const agent =
  'User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36';
const others = Array.from({ length: 16 }, (_, index) => `Accept-Something-${index}: and its value, which is long`);
const cases = [
  { name: 'small request', record: recordOf('/', ['User-Agent: wrk', 'Accept: */*']), redact: [] },
  {
    name: 'browser, 20 fields',
    record: recordOf('/a/b?page=2', [...others, agent, 'Referer: https://shop.example/']),
    redact: [],
  },
  {
    name: 'redacted query',
    record: recordOf('/a?page=2&sort=price&token=abc', ['User-Agent: wrk']),
    redact: ['token', 'key'],
  },
];
const writers = cases.map(({ redact }) => new LineWriter(redact));
const ROUNDS = 15;
const COUNT = 40_000;
const out = new Uint8Array(LINE_BYTES_MAX);
let wallMs = 1_790_000_000_000;
let bytes = 0;

const times = cases.map(() => [] as number[]);
for (let round = 0; round < ROUNDS; round += 1) {
  for (const [index, { record }] of cases.entries()) {
    const writer = writers[index]!;
    const begin = process.hrtime.bigint();
    for (let count = 0; count < COUNT; count += 1) {
      wallMs += 0.05;
      record.wallMs = wallMs;
      bytes += writer.write(record, out, 0);
    }
    times[index]?.push(Number(process.hrtime.bigint() - begin) / COUNT);
  }
}
for (const [index, { name, record }] of cases.entries()) {
  const median = times[index]!.toSorted((a, b) => a - b)[ROUNDS >> 1]!;
  const length = writers[index]!.write(record, out, 0);
  process.stdout.write(`${name.padEnd(24)} ${String(length).padStart(5)} B ${median.toFixed(0).padStart(6)} ns\n`);
}
if (bytes === 0) throw new Error('nothing was written');
