import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { addressFrom } from '../../kernel/ip-address.ts';
import { PROXY_BYTES_MAX, type ProxyHeader, readProxyHeader } from './proxy-protocol.ts';

const SIGNATURE = [0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a];

const v1 = (line: string): Buffer => Buffer.from(line, 'latin1');

/** A version 2 header; `body` is what its length field announces unless that is given. */
function v2(
  versionAndCommand: number,
  familyAndProtocol: number,
  body: readonly number[],
  length = body.length,
): Buffer {
  return Buffer.from([...SIGNATURE, versionAndCommand, familyAndProtocol, length >> 8, length & 255, ...body]);
}

const port = (number: number): number[] => [number >> 8, number & 255];
const tlv = (type: number, value: readonly number[]): number[] => [type, ...port(value.length), ...value];
const four = [192, 0, 2, 1, 198, 51, 100, 2, ...port(56_324), ...port(443)];
const six = [
  ...[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
  ...[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2],
  ...[...port(1), ...port(65_535)],
];

/**
 * Reads every prefix, whatever lies behind the header: a header is wanted more of until its last byte, a wrong one is wrong
 * from some byte on and stays so. Returns the verdict on the whole.
 */
function read(header: Buffer): ProxyHeader {
  let seen: ProxyHeader = { kind: 'more' };
  for (let length = 0; length <= header.length; length += 1) {
    const now = readProxyHeader(header.subarray(0, length));
    if (seen.kind !== 'more') assert.equal(now.kind, seen.kind, `after ${length} bytes`);
    if (now.kind === 'done') assert.equal(length, now.end, 'no byte before the last one is enough');
    seen = now;
  }
  const followed = readProxyHeader(Buffer.concat([header, v1('PROXY \r\n')]));
  if (seen.kind !== 'more') assert.deepEqual(followed, seen, 'what follows is not looked at');
  return seen;
}

interface Named {
  readonly address: string | null;
  readonly port: number;
}

function named(header: Buffer): Named {
  const found = read(header);
  assert.equal(found.kind, 'done', found.kind === 'bad' ? found.problem : found.kind);
  if (found.kind !== 'done') return { address: null, port: -1 };
  assert.equal(found.end, header.length);
  return { address: found.address, port: found.port };
}

const nobody = { address: null, port: 0 };

test('PROXY protocol §2.1: version 1, the source of a TCP4 and of a TCP6 line, and none of an UNKNOWN one', () => {
  const cases: readonly (readonly [string, Named])[] = [
    ['PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n', { address: '192.0.2.1', port: 56_324 }],
    ['PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n', { address: '255.255.255.255', port: 65_535 }],
    ['PROXY TCP4 192.0.2.1 198.51.100.2 0 0\r\n', { address: '192.0.2.1', port: 0 }],
    ['PROXY TCP6 2001:db8::1 2001:DB8::2 4124 443\r\n', { address: '2001:db8::1', port: 4124 }],
    // A balancer whose socket takes both families writes IPv4 clients so.
    ['PROXY TCP6 ::ffff:192.0.2.1 ::ffff:198.51.100.2 4124 443\r\n', { address: '::ffff:192.0.2.1', port: 4124 }],
    ['PROXY TCP6 ::ffff:192.0.2.1 2001:db8::2 4124 443\r\n', { address: '::ffff:192.0.2.1', port: 4124 }],
    [
      `PROXY TCP6 ${'ffff:'.repeat(7)}ffff ${'ffff:'.repeat(7)}ffff 65535 65535\r\n`,
      { address: 'ffff:'.repeat(7) + 'ffff', port: 65_535 },
    ],
    ['PROXY UNKNOWN\r\n', nobody],
    [`PROXY UNKNOWN ${'ffff:'.repeat(7)}ffff ${'ffff:'.repeat(7)}ffff 65535 65535\r\n`, nobody],
  ];
  for (const [line, expected] of cases) assert.deepEqual(named(v1(line)), expected, line);
  assert.equal(cases.at(-1)![0].length, 107, 'the longest that there may be');
});

test('PROXY protocol §2.1: version 1, anything that is not exactly in form is bad', () => {
  const lines = [
    'GET / HTTP/1.1\r\n',
    'proxy TCP4 192.0.2.1 198.51.100.2 1 2\r\n',
    'PROXY  TCP4 192.0.2.1 198.51.100.2 1 2\r\n',
    'PROXY TCP4  192.0.2.1 198.51.100.2 1 2\r\n',
    'PROXY TCP4 192.0.2.1 198.51.100.2 1 2 \r\n',
    'PROXY TCP4 192.0.2.1 198.51.100.2 1 2\n',
    'PROXY TCP4 192.0.2.1 198.51.100.2 1 2\r\r\n',
    'PROXY TCP4 192.0.2.1\r\n',
    'PROXY TCP4 192.0.2.1 198.51.100.2 1\r\n',
    'PROXY TCP4 192.0.2.1 198.51.100.2 1 2 3\r\n',
    'PROXY TCP4 192.0.2.1 198.51.100.2 65536 2\r\n',
    'PROXY TCP4 192.0.2.1 198.51.100.2 1 99999\r\n',
    'PROXY TCP4 192.0.2.1 198.51.100.2 01 2\r\n',
    'PROXY TCP4 192.0.2.1 198.51.100.2 -1 2\r\n',
    'PROXY TCP4 192.0.2.1 198.51.100.2 1 +2\r\n',
    'PROXY TCP4 192.0.2.256 198.51.100.2 1 2\r\n',
    'PROXY TCP4 192.0.2.01 198.51.100.2 1 2\r\n',
    'PROXY TCP4 192.0.2 198.51.100.2 1 2\r\n',
    'PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n',
    'PROXY TCP4 192.0.2.1 2001:db8::2 1 2\r\n',
    'PROXY TCP4 ::ffff:192.0.2.1 ::ffff:198.51.100.2 1 2\r\n',
    'PROXY TCP6 192.0.2.1 198.51.100.2 1 2\r\n',
    'PROXY TCP6 2001:db8::1 198.51.100.2 1 2\r\n',
    'PROXY TCP6 2001:db8:::1 2001:db8::2 1 2\r\n',
    'PROXY TCP6 fe80::1%eth0 2001:db8::2 1 2\r\n',
    'PROXY TCP6 [2001:db8::1] 2001:db8::2 1 2\r\n',
    'PROXY TCP5 192.0.2.1 198.51.100.2 1 2\r\n',
    'PROXY UDP4 192.0.2.1 198.51.100.2 1 2\r\n',
    'PROXY UNKNOWNS\r\n',
    'PROXY UNKNOWN \0\r\n',
    'PROXY UNKNOWN \x1b[2J\r\n',
    'PROXY \r\n',
    'PROXY\r\n',
    `PROXY UNKNOWN ${'a'.repeat(92)}\r\n`, // 108 bytes
    `PROXY TCP4 ${'0'.repeat(200)}`,
  ];
  for (const line of lines) assert.equal(read(v1(line)).kind, 'bad', line);
});

test('PROXY protocol §2.2: version 2, the source over IPv4 and IPv6, with extensions behind it', () => {
  const extensions = [...tlv(0x04, []), ...tlv(0x02, [...v1('shop.example')]), ...tlv(0x20, [1, 0, 0, 0, 0])];
  const cases: readonly (readonly [Buffer, Named])[] = [
    [v2(0x21, 0x11, four), { address: '192.0.2.1', port: 56_324 }],
    [v2(0x21, 0x21, six), { address: '2001:db8::1', port: 1 }],
    [v2(0x21, 0x11, [...four, ...extensions]), { address: '192.0.2.1', port: 56_324 }],
    [v2(0x21, 0x21, [...six, ...extensions]), { address: '2001:db8::1', port: 1 }],
    // LOCAL: the sender's own connection, whatever the family and addresses say.
    [v2(0x20, 0x00, []), nobody],
    [v2(0x20, 0x11, four), nobody],
    [v2(0x20, 0x31, [1, 2, 3]), nobody],
    // PROXY for a family the sender cannot express.
    [v2(0x21, 0x00, []), nobody],
    [v2(0x21, 0x00, extensions), nobody],
    [v2(0x21, 0x11, [...four, ...Array<number>(PROXY_BYTES_MAX - 28).fill(0)]), { address: '192.0.2.1', port: 56_324 }],
  ];
  for (const [header, expected] of cases) {
    const { address, port: found } = named(header);
    assert.equal(found, expected.port);
    assert.deepEqual(
      address === null ? null : addressFrom(address),
      expected.address === null ? null : addressFrom(expected.address),
    );
  }
});

test('PROXY protocol §2.2: version 2, a wrong signature, version, command, family or length is bad', () => {
  const wrong: readonly (readonly [string, Buffer])[] = [
    ['version 1 in a binary header', v2(0x11, 0x11, four)],
    ['version 3', v2(0x31, 0x11, four)],
    ['command 2', v2(0x22, 0x11, four)],
    ['UDP over IPv4', v2(0x21, 0x12, four)],
    ['UDP over IPv6', v2(0x21, 0x22, six)],
    ['a unix socket', v2(0x21, 0x31, Array<number>(216).fill(0))],
    ['an unknown family', v2(0x21, 0x41, six)],
    ['IPv4 of no protocol', v2(0x21, 0x10, four)],
    ['IPv4 addresses cut short', v2(0x21, 0x11, four.slice(0, 11))],
    ['IPv4 addresses of length 0', v2(0x21, 0x11, [])],
    ['IPv6 addresses cut short', v2(0x21, 0x21, six.slice(0, 35))],
    ['longer than we read', v2(0x21, 0x11, [], PROXY_BYTES_MAX - 15)],
    ['the longest there can be', v2(0x20, 0x00, [], 0xffff)],
  ];
  for (const [what, header] of wrong) assert.equal(read(header).kind, 'bad', what);
  for (let at = 0; at < SIGNATURE.length; at += 1) {
    const header = v2(0x21, 0x11, four);
    header[at]! ^= 1;
    assert.equal(read(header).kind, 'bad', `byte ${at} of the signature`);
  }
});

test('property: whatever is written is read back, in both versions', () => {
  const ports = fc.nat(65_535);
  const ipv4 = fc.ipV4();
  const ipv6 = fc.ipV6().filter((text) => addressFrom(text) !== null);
  const written = (
    version: 1 | 2,
    family: 4 | 6,
    source: string,
    from: number,
    extension: readonly number[],
  ): Buffer => {
    const other = family === 4 ? '203.0.113.9' : '2001:db8::9';
    if (version === 1) return v1(`PROXY TCP${family} ${source} ${other} ${from} 443\r\n`);
    const bytes = (text: string): number[] => {
      const found = addressFrom(text)!;
      const all = [...found.words].flatMap((word) => [24, 16, 8, 0].map((shift) => (word >>> shift) & 255));
      return family === 4 ? all.slice(12) : all;
    };
    return v2(0x21, family === 4 ? 0x11 : 0x21, [
      ...bytes(source),
      ...bytes(other),
      ...port(from),
      ...port(443),
      ...extension,
    ]);
  };
  const addresses = fc.oneof(fc.tuple(fc.constant<4>(4), ipv4), fc.tuple(fc.constant<6>(6), ipv6));
  fc.assert(
    fc.property(
      fc.constantFrom<(1 | 2)[]>(1, 2),
      addresses,
      ports,
      fc.array(fc.nat(255), { maxLength: 40 }),
      (version, [family, source], from, extension) => {
        const found = named(written(version, family, source, from, extension));
        assert.equal(found.port, from);
        assert.deepEqual(addressFrom(found.address!), addressFrom(source));
      },
    ),
  );
});

test('property: damaged or random bytes are read to a verdict, the same however they come, and nothing beyond the limit is awaited', () => {
  const header = fc.constantFrom(
    v1('PROXY TCP4 192.0.2.1 198.51.100.2 56324 443\r\n'),
    v2(0x21, 0x11, four),
    v2(0x21, 0x21, six),
  );
  const damaged = fc
    .tuple(header, fc.array(fc.tuple(fc.nat(60), fc.nat(255)), { maxLength: 3 }))
    .map(([bytes, changes]) => {
      const changed = Buffer.from(bytes);
      for (const [at, byte] of changes) changed[at % changed.length] = byte;
      return changed;
    });
  fc.assert(
    fc.property(
      fc.oneof(
        damaged,
        fc.uint8Array({ maxLength: 80 }).map((bytes) => Buffer.from(bytes)),
      ),
      (bytes) => {
        const first = [...bytes.keys(), bytes.length]
          .map((length) => readProxyHeader(bytes.subarray(0, length)))
          .find(({ kind }) => kind !== 'more');
        const whole = readProxyHeader(bytes);
        if (first !== undefined) assert.deepEqual(whole, first);
        if (whole.kind === 'done')
          assert.ok(whole.end <= bytes.length && (whole.address === null || addressFrom(whole.address) !== null));
        const padded = readProxyHeader(Buffer.concat([bytes, Buffer.alloc(PROXY_BYTES_MAX)]));
        assert.notEqual(padded.kind, 'more');
      },
    ),
  );
});
