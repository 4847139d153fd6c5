/**
 * Nanoseconds for the forwarding fields of one request, `prepare` and `write`: `npm run bench -- forwarded`.
 * Each figure is the median of rounds that take turns, so a slow moment of the machine hits all of them alike.
 */
import { addressFrom, AddressSet } from '../../kernel/ip-address.ts';
import { createRandom } from '../../kernel/random.ts';
import { Forwarding, ForwardingWriter } from './forwarded.ts';
import { Head, OK } from './head.ts';
import { parseRequestHead } from './request-head.ts';

const limits = {
  requestLineBytesMax: 8192,
  headerBytesMax: 32768,
  headerFieldsMax: 100,
  underscoresInNames: 'reject',
} as const;
const trusted = AddressSet.compile(['10.0.0.0/8', '192.168.0.0/16', '2001:db8::/32']);
if (!(trusted instanceof AddressSet)) throw new Error(trusted.mistake);
const forwarding = { xForwarded: true, forwarded: false, requestId: true, traceparent: true };
const random = createRandom();
const options = { plan: { tls: null, forwarding }, trusted, pseudonym: 'spillway-1', port: 8080, random, tracer: null };
const writer = new ForwardingWriter(options);
const writerOfAll = new ForwardingWriter({
  ...options,
  plan: { tls: null, forwarding: { ...forwarding, forwarded: true } },
});

const small = ['User-Agent: wrk', 'Accept: */*'];
const browser = Array.from({ length: 18 }, (_, index) => `X-Some-Field-${index}: and its value`);
const chain = [
  'X-Forwarded-For: 198.51.100.7',
  'X-Forwarded-Proto: https',
  'X-Forwarded-Port: 443',
  'X-Request-Id: 0af7651916cd43dd',
];

function parsed(fields: readonly string[], host: string): Head {
  const head = new Head();
  const bytes = Buffer.from([`GET / HTTP/1.1`, `Host: ${host}`, ...fields, '', ''].join('\r\n'), 'latin1');
  if (parseRequestHead(head, bytes, 0, bytes.length, limits) !== OK) throw new Error(head.problem);
  return head;
}

const untrustedPeer = new Forwarding(addressFrom('203.0.113.195'));
const trustedPeer = new Forwarding(addressFrom('10.0.0.1'));
const out = new Uint8Array(8192);

interface Case {
  readonly name: string;
  readonly writer: ForwardingWriter;
  readonly peer: Forwarding;
  readonly heads: readonly Head[];
}

const one = (fields: readonly string[]): Head[] => [parsed(fields, 'shop.example')];
const cases: readonly Case[] = [
  { name: 'small request, same Host', writer, peer: untrustedPeer, heads: one(small) },
  { name: 'the same with Forwarded', writer: writerOfAll, peer: untrustedPeer, heads: one(small) },
  { name: '20 fields, same Host', writer, peer: untrustedPeer, heads: one(browser) },
  {
    name: 'another Host each time',
    writer,
    peer: untrustedPeer,
    heads: [parsed(small, 'a.example'), parsed(small, 'b.example')],
  },
  { name: 'behind a trusted proxy', writer, peer: trustedPeer, heads: one([...small, ...chain]) },
];
const ROUNDS = 15;
const COUNT = 40_000;

function run({ writer: by, peer, heads }: Case): void {
  for (let i = 0; i < COUNT; i += 1) {
    const head = heads[i % heads.length]!;
    if (by.prepare(peer, head) !== OK) throw new Error('refused');
    by.write(peer, head, out, 200);
  }
}

const times = cases.map(() => [] as number[]);
for (let round = 0; round < ROUNDS; round += 1) {
  for (const [index, each] of cases.entries()) {
    const begin = process.hrtime.bigint();
    run(each);
    times[index]?.push(Number(process.hrtime.bigint() - begin) / COUNT);
  }
}
for (const [index, { name }] of cases.entries()) {
  const median = times[index]!.toSorted((a, b) => a - b)[ROUNDS >> 1]!;
  process.stdout.write(`${name.padEnd(28)} ${median.toFixed(0).padStart(6)} ns\n`);
}
