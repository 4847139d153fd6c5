/**
 * Nanoseconds for one head, parsed from a buffer that already holds it: `npm run bench -- head`.
 * Each figure is the median of rounds that take turns, so a slow moment of the machine hits all of them alike.
 */
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

interface Case {
  readonly name: string;
  readonly bytes: number;
  readonly run: (count: number) => void;
}

function requestCase(name: string, text: string): Case {
  const buffer = Buffer.from(text, 'latin1');
  const head = new Head();
  const run = (count: number): void => {
    for (let i = 0; i < count; i += 1) {
      if (parseRequestHead(head, buffer, 0, buffer.length, requestLimits) !== OK) throw new Error(head.problem);
    }
  };
  return { name, bytes: buffer.length, run };
}

function responseCase(name: string, text: string): Case {
  const buffer = Buffer.from(text, 'latin1');
  const head = new Head();
  const run = (count: number): void => {
    for (let i = 0; i < count; i += 1) {
      if (parseResponseHead(head, buffer, 0, buffer.length, responseLimits, false) !== OK)
        throw new Error(head.problem);
    }
  };
  return { name, bytes: buffer.length, run };
}

const cases = [
  requestCase('small GET (wrk), 3 fields', small),
  requestCase('browser GET, 20 fields', browser),
  requestCase('small POST, 3 fields', post),
  responseCase('small response, 5 fields', answer),
];
const ROUNDS = 15;
const COUNT = 40_000;

const times = cases.map(() => [] as number[]);
for (let round = 0; round < ROUNDS; round += 1) {
  for (const [index, { run }] of cases.entries()) {
    const begin = process.hrtime.bigint();
    run(COUNT);
    times[index]?.push(Number(process.hrtime.bigint() - begin) / COUNT);
  }
}
for (const [index, { name, bytes }] of cases.entries()) {
  const sorted = times[index]!.toSorted((a, b) => a - b);
  const median = sorted[ROUNDS >> 1]!;
  const line = `${name.padEnd(28)} ${String(bytes).padStart(5)} B ${median.toFixed(0).padStart(6)} ns ${(median / bytes).toFixed(2)} ns/B`;
  process.stdout.write(`${line}\n`);
}
