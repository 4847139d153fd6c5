/**
 * Nanoseconds for one head, parsed from a buffer that already holds it: `npm run bench -- head`. First where it lies anywhere, then
 * where it lies in the read buffer (field-scan.ts), and the one divided by the other.
 * Each figure is the median of rounds that take turns, so a slow moment of the machine hits all of them alike.
 */
import { REQUEST_REJECT, RESPONSE, parseFieldLines } from './field-lines.ts';
import { type FieldRoom, FieldScan } from './field-scan.ts';
import { Head, OK } from './head.ts';
import { parseRequestHead } from './request-head.ts';
import { parseResponseHead } from './response-head.ts';

const requestLimits = {
  requestLineBytesMax: 8192,
  headerBytesMax: 32768,
  headerFieldsMax: 100,
  underscoresInNames: 'reject',
} as const;
const responseLimits = { headerBytesMax: 65536, headerFieldsMax: 200 };

const small = 'GET /index.html HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUser-Agent: wrk\r\nAccept: */*\r\n\r\n';

const browser = [
  'GET /products/category/shoes?page=2&sort=price HTTP/1.1',
  'Host: shop.example',
  'Connection: keep-alive',
  'sec-ch-ua: "Chromium";v="140", "Not=A?Brand";v="24", "Google Chrome";v="140"',
  'sec-ch-ua-mobile: ?0',
  'sec-ch-ua-platform: "Linux"',
  'Upgrade-Insecure-Requests: 1',
  'User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36',
  'Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8',
  'Sec-Fetch-Site: same-origin',
  'Sec-Fetch-Mode: navigate',
  'Sec-Fetch-User: ?1',
  'Sec-Fetch-Dest: document',
  'Referer: https://shop.example/',
  'Accept-Encoding: gzip, deflate, br, zstd',
  'Accept-Language: en-US,en;q=0.9',
  'Cookie: session=0123456789abcdef; theme=dark',
  'If-None-Match: "abc123"',
  'Cache-Control: max-age=0',
  'Priority: u=0, i',
  'DNT: 1',
  '\r\n',
].join('\r\n');

const post =
  'POST /api/orders HTTP/1.1\r\nHost: shop.example\r\nContent-Type: application/json\r\nContent-Length: 4096\r\n\r\n';

const answer =
  'HTTP/1.1 200 OK\r\nServer: nginx\r\nDate: Sat, 01 Aug 2026 00:00:00 GMT\r\nContent-Type: text/html\r\nContent-Length: 12\r\nConnection: keep-alive\r\n\r\n';

type Parse = (head: Head, buffer: Uint8Array, at: number, end: number) => number;

const parseRequest: Parse = (head, buffer, at, end) => parseRequestHead(head, buffer, at, end, requestLimits);
const parseResponse: Parse = (head, buffer, at, end) => parseResponseHead(head, buffer, at, end, responseLimits, false);
const fieldsOf = (kind: number, fieldsMax: number): Parse => {
  return (head, buffer, at, end) => {
    head.reset(buffer, at);
    return parseFieldLines(head, buffer, at, end, false, fieldsMax, kind);
  };
};
const requestFields = fieldsOf(REQUEST_REJECT, requestLimits.headerFieldsMax);
const responseFields = fieldsOf(RESPONSE, responseLimits.headerFieldsMax);

const scan = FieldScan.create();
if (scan === null) throw new Error('There are no vector instructions here.');
const { bytes: readBuffer, requestRoom, responseRoom } = scan;
/** Where the next head goes. */
let place = 0;

interface Case {
  readonly name: string;
  readonly bytes: number;
  /** By the loop of field-lines.ts, and by field-scan.ts. */
  readonly ways: readonly ((count: number) => void)[];
}

function caseOf(name: string, text: string, parse: Parse, room: FieldRoom): Case {
  const elsewhere = Buffer.from(text, 'latin1');
  const at = place;
  place += elsewhere.copy(readBuffer, at);
  const way = (head: Head, buffer: Uint8Array, from: number) => (count: number) => {
    const to = from + elsewhere.length;
    for (let i = 0; i < count; i += 1) if (parse(head, buffer, from, to) !== OK) throw new Error(head.problem);
  };
  return { name, bytes: elsewhere.length, ways: [way(new Head(), elsewhere, 0), way(new Head(room), readBuffer, at)] };
}

function casesOf(name: string, text: string): Case[] {
  const isRequest = !text.startsWith('HTTP/');
  const room = isRequest ? requestRoom : responseRoom;
  const lines = text.slice(text.indexOf('\n') + 1);
  return [
    caseOf(name, text, isRequest ? parseRequest : parseResponse, room),
    caseOf('  its field lines', lines, isRequest ? requestFields : responseFields, room),
  ];
}

const cases = [
  ...casesOf('small GET (wrk), 3 fields', small),
  ...casesOf('browser GET, 20 fields', browser),
  ...casesOf('small POST, 3 fields', post),
  ...casesOf('small response, 5 fields', answer),
];
const ROUNDS = 15;
const COUNT = 20_000;

const times = cases.map(({ ways }) => ways.map(() => [] as number[]));
for (let round = 0; round < ROUNDS; round += 1) {
  for (const [index, { ways }] of cases.entries()) {
    for (const [way, run] of ways.entries()) {
      const begin = process.hrtime.bigint();
      run(COUNT);
      times[index]![way]!.push(Number(process.hrtime.bigint() - begin) / COUNT);
    }
  }
}
process.stdout.write(`${'ns, median'.padEnd(40)} elsewhere  in the read buffer\n`);
for (const [index, { name, bytes }] of cases.entries()) {
  const [loop = 0, scanned = 0] = times[index]!.map((each) => each.toSorted((a, b) => a - b)[ROUNDS >> 1]!);
  const columns = [
    loop.toFixed(0).padStart(10),
    scanned.toFixed(0).padStart(10),
    (scanned / loop).toFixed(2).padStart(9),
  ];
  process.stdout.write(`${name.padEnd(30)} ${String(bytes).padStart(5)} B  ${columns.join('')}\n`);
}
