import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { addressFrom, AddressSet } from '../../kernel/ip-address.ts';
import { seededRandom } from '../../kernel/random.ts';
import { refusals } from '../slots.ts';
import { Forwarding, ForwardingWriter, type ForwardingOptions } from './forwarded.ts';
import { Head, OK } from './head.ts';
import { parseRequestHead } from './request-head.ts';

const limits = {
  requestLineBytesMax: 8192,
  headerBytesMax: 32768,
  headerFieldsMax: 100,
  underscoresInNames: 'reject',
} as const;

interface Options {
  readonly peer?: string | null;
  readonly trusted?: readonly string[];
  readonly fields?: readonly string[];
  readonly host?: string;
  readonly version?: string;
  readonly secure?: boolean;
  readonly forwarding?: Partial<ForwardingOptions['plan']['forwarding']>;
}

interface Result {
  /** Lower-case name to values, of the fields that go out. */
  // WHY: over 400 lines: a table of what is forwarded, in all combinations of trust and switches.
  readonly sent: Readonly<Record<string, readonly string[]>>;
  readonly lines: readonly string[];
  readonly client: string;
  readonly requestId: string;
  readonly traceId: string;
}

function writerFor(options: Options): { writer: ForwardingWriter; forwarding: Forwarding } {
  const trusted = AddressSet.compile(options.trusted ?? []);
  assert.ok(trusted instanceof AddressSet);
  const plan = {
    tls: options.secure === true ? ({} as ForwardingOptions['plan']['tls']) : null,
    forwarding: { xForwarded: true, forwarded: false, requestId: true, traceparent: true, ...options.forwarding },
  };
  const writer = new ForwardingWriter({
    plan,
    trusted,
    pseudonym: 'gw-7f',
    port: 8443,
    random: seededRandom(1),
    tracer: null,
  });
  const peer = options.peer === null ? null : addressFrom(options.peer ?? '203.0.113.9');
  return { writer, forwarding: new Forwarding(peer) };
}

function parse(options: Options): Head {
  const lines = [
    `GET / HTTP/${options.version ?? '1.1'}`,
    `Host: ${options.host ?? 'shop.example'}`,
    ...(options.fields ?? []),
  ];
  const head = new Head();
  const bytes = Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
  assert.equal(parseRequestHead(head, bytes, 0, bytes.length, limits), OK, head.problem);
  return head;
}

function send(writer: ForwardingWriter, forwarding: Forwarding, head: Head): Result {
  assert.equal(writer.prepare(forwarding, head), OK);
  const start = 7;
  const out = new Uint8Array(start + forwarding.room);
  const end = writer.write(forwarding, head, out, start);
  assert.ok(end <= out.length, `wrote ${end - start} bytes into ${forwarding.room}`);
  const text = (from: number, to: number): string => Buffer.from(out).toString('latin1', from, to);
  const written = text(start, end);
  assert.ok(written === '' || written.endsWith('\r\n'));
  const kept: string[] = [];
  for (let i = 0; i < head.count; i += 1) {
    if (head.drop[i] === 0) kept.push(head.text(head.nameStart[i]!, head.valueEnd[i]!));
  }
  const lines = [...kept, ...written.split('\r\n').slice(0, -1)];
  const sent: Record<string, string[]> = {};
  for (const line of lines) {
    const [, name = '', value = ''] = /^([^:]+): ?(.*)$/.exec(line) ?? assert.fail(`not a field line: ${line}`);
    (sent[name.toLowerCase()] ??= []).push(value);
  }
  return {
    sent,
    lines,
    client: Buffer.from(forwarding.clientText).toString('latin1', 0, forwarding.clientLength),
    requestId: text(forwarding.requestIdStart, forwarding.requestIdEnd),
    traceId: forwarding.traceIdStart === 0 ? '' : text(forwarding.traceIdStart, forwarding.traceIdStart + 32),
  };
}

function forward(options: Options): Result {
  const { writer, forwarding } = writerFor(options);
  return send(writer, forwarding, parse(options));
}

const forged = [
  'X-Forwarded-For: 6.6.6.6',
  'x-forwarded-for: 7.7.7.7',
  'X-Forwarded-Proto: https',
  'X-Forwarded-Host: evil.example',
  'X-Forwarded-Port: 1',
  'X-Forwarded-Prefix: /evil',
  'X-Forwarded-Ssl: on',
  'X-Real-IP: 6.6.6.6',
  'Forwarded: for=6.6.6.6',
  'X-Request-Id: forged',
  'traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  'tracestate: a=1',
];

describe('from a peer that is not trusted', () => {
  test('RFC 7239 §8.1: every forwarding field is taken out and written anew', () => {
    const { sent, client } = forward({ fields: [...forged, 'Accept: */*'] });
    assert.deepEqual(sent['x-forwarded-for'], ['203.0.113.9']);
    assert.deepEqual(sent['x-forwarded-proto'], ['http']);
    assert.deepEqual(sent['x-forwarded-host'], ['shop.example']);
    assert.deepEqual(sent['x-forwarded-port'], ['8443']);
    assert.deepEqual(sent['x-real-ip'], ['203.0.113.9']);
    assert.deepEqual(sent['accept'], ['*/*']);
    for (const name of ['forwarded', 'tracestate', 'x-forwarded-prefix', 'x-forwarded-ssl'])
      assert.equal(sent[name], undefined);
    assert.doesNotMatch(JSON.stringify(sent), /6\.6\.6\.6|7\.7\.7\.7|evil|forged|0af7/);
    assert.equal(client, '203.0.113.9');
  });

  test('what is switched off is not written, and a forged X-Forwarded or Forwarded goes all the same', () => {
    const { sent } = forward({
      fields: forged,
      forwarding: { xForwarded: false, requestId: false, traceparent: false },
    });
    assert.deepEqual(Object.keys(sent).toSorted(), ['host', 'traceparent', 'tracestate', 'via', 'x-request-id']);
    assert.deepEqual(sent['x-request-id'], ['forged']);
  });

  test('TLS, an IPv6 peer and a Host with a port', () => {
    const options = { peer: '2001:db8::7', secure: true, host: '[2001:db8::1]:8443', forwarding: { forwarded: true } };
    const { sent } = forward(options);
    assert.deepEqual(sent['x-forwarded-proto'], ['https']);
    assert.deepEqual(sent['x-forwarded-for'], ['2001:db8::7']);
    assert.deepEqual(sent['x-forwarded-host'], ['[2001:db8::1]:8443']);
    // RFC 7239 §6: brackets, and so quotes
    assert.deepEqual(sent['forwarded'], ['for="[2001:db8::7]";host="[2001:db8::1]:8443";proto=https']);
  });

  test('a v4-mapped peer is written as IPv4', () => {
    assert.deepEqual(forward({ peer: '::ffff:192.0.2.4' }).sent['x-real-ip'], ['192.0.2.4']);
  });

  test('a peer without an address is unknown (RFC 7239 §6.2)', () => {
    const { sent } = forward({ peer: null, forwarding: { forwarded: true } });
    assert.deepEqual(sent['x-forwarded-for'], ['unknown']);
    assert.deepEqual(sent['forwarded'], ['for=unknown;host="shop.example";proto=http']);
  });

  test('RFC 9110 §7.6.3: Via says the version received and keeps what was there', () => {
    assert.deepEqual(forward({ fields: ['Via: 1.0 edge'] }).sent['via'], ['1.0 edge', '1.1 gw-7f']);
    assert.deepEqual(forward({ version: '1.0' }).sent['via'], ['1.0 gw-7f']);
  });
});

describe('loops (RFC 9110 §7.6.3)', () => {
  const { writer, forwarding } = writerFor({});
  const verdict = (via: string): string => {
    const number = writer.prepare(forwarding, parse({ fields: ['Via: 1.1 other', `Via: ${via}`] }));
    return number === OK ? 'ok' : (refusals[number]?.word ?? '');
  };
  for (const via of [
    '1.1 gw-7f',
    '1.0 a, 1.1 gw-7f',
    '1.1 gw-7f (Spillway)',
    'HTTP/1.1\tgw-7f, 1.1 b',
    '1.1  gw-7f(x)',
  ]) {
    test(`"${via}" is refused`, () => assert.equal(verdict(via), 'loop'));
  }
  for (const via of ['1.1 gw-7f2', '1.1 xgw-7f', 'gw-7f', '1.1 gw-7', '1.1 gw-7f.example']) {
    test(`"${via}" passes`, () => assert.equal(verdict(via), 'ok'));
  }
});

describe('from a trusted proxy', () => {
  const trusted = ['10.0.0.0/8', '2001:db8:aaaa::/48'];
  const chain = (...fields: string[]): Result => forward({ peer: '10.0.0.1', trusted, fields });

  test('RFC 7239 §5.2: the chain is continued and the client is the rightmost address that is not trusted', () => {
    const { sent, client } = chain('X-Forwarded-For: 6.6.6.6, 198.51.100.7, 10.2.3.4');
    assert.deepEqual(sent['x-forwarded-for'], ['6.6.6.6, 198.51.100.7, 10.2.3.4, 10.0.0.1']);
    assert.deepEqual(sent['x-real-ip'], ['198.51.100.7']);
    assert.equal(client, '198.51.100.7');
  });

  test('several lines are one chain (RFC 9110 §5.3)', () => {
    const { sent, client } = chain('X-Forwarded-For: 6.6.6.6', 'Accept: */*', 'X-Forwarded-For: 198.51.100.7,10.9.9.9');
    assert.deepEqual(sent['x-forwarded-for'], ['6.6.6.6, 198.51.100.7,10.9.9.9, 10.0.0.1']);
    assert.equal(client, '198.51.100.7');
  });

  test('if all are trusted the client is the leftmost', () => {
    assert.equal(chain('X-Forwarded-For: 10.1.1.1, 10.2.2.2').client, '10.1.1.1');
  });

  test('no chain: the proxy is the client', () => {
    const { sent, client } = chain();
    assert.deepEqual(sent['x-forwarded-for'], ['10.0.0.1']);
    assert.equal(client, '10.0.0.1');
  });

  test('ports and IPv6 are understood', () => {
    assert.equal(chain('X-Forwarded-For: 198.51.100.7:5123').client, '198.51.100.7');
    assert.equal(chain('X-Forwarded-For: [2001:db8::5]:80, [2001:db8:aaaa::1]').client, '2001:db8::5');
    assert.equal(chain('X-Forwarded-For: 2001:DB8:0::5').client, '2001:db8::5');
  });

  test('what is left of a malformed hop is cut off with it, and the search ends at the last hop that is certain', () => {
    for (const bad of ['<script>', '1.2.3', '01.2.3.4', '"6.6.6.6"', '', '1.2.3.4:123456', 'localhost', '_']) {
      const { sent, client } = chain(`X-Forwarded-For: 6.6.6.6, ${bad}, 10.2.2.2`);
      assert.deepEqual(sent['x-forwarded-for'], ['10.2.2.2, 10.0.0.1'], bad);
      assert.equal(client, '10.2.2.2', bad);
    }
  });

  test('a hop that hides stays in the chain and ends the search (RFC 7239 §6.2, §6.3)', () => {
    for (const hidden of ['unknown', '_hidden']) {
      const { sent, client } = chain(`X-Forwarded-For: 6.6.6.6, ${hidden}, 10.2.2.2`);
      assert.deepEqual(sent['x-forwarded-for'], [`6.6.6.6, ${hidden}, 10.2.2.2, 10.0.0.1`]);
      assert.equal(client, '10.2.2.2');
    }
  });

  test('RFC 9110 §17.5: a chain is bounded', () => {
    const long = Array.from({ length: 200 }, (_, hop) => `10.0.1.${hop}`).join(', ');
    const { sent, client } = chain(`X-Forwarded-For: ${long}`);
    assert.equal(sent['x-forwarded-for']?.[0]?.split(', ').length, 33);
    assert.equal(client, '10.0.1.168');
  });

  test('single values are passed on if fit, else written anew', () => {
    const fit = chain(
      'X-Forwarded-Proto: https',
      'X-Forwarded-Host: a.example:81',
      'X-Forwarded-Port: 443',
      'X-Request-Id: abc-1',
    );
    assert.deepEqual(fit.sent['x-forwarded-proto'], ['https']);
    assert.deepEqual(fit.sent['x-forwarded-host'], ['a.example:81']);
    assert.deepEqual(fit.sent['x-forwarded-port'], ['443']);
    assert.deepEqual(fit.sent['x-request-id'], ['abc-1']);
    assert.equal(fit.requestId, 'abc-1');
    const bad = chain('X-Forwarded-Proto: gopher', 'X-Forwarded-Host: a/b', 'X-Forwarded-Port: 0', 'X-Request-Id: a b');
    assert.deepEqual(bad.sent['x-forwarded-proto'], ['http']);
    assert.deepEqual(bad.sent['x-forwarded-host'], ['shop.example']);
    assert.deepEqual(bad.sent['x-forwarded-port'], ['8443']);
    assert.match(bad.sent['x-request-id']?.join() ?? '', /^[0-9a-f]{32}$/);
    const twice = chain('X-Forwarded-Proto: https', 'X-Forwarded-Proto: http', 'X-Request-Id: a', 'X-Request-Id: b');
    assert.deepEqual(twice.sent['x-forwarded-proto'], ['http']);
    assert.match(twice.requestId, /^[0-9a-f]{32}$/);
  });

  test('RFC 7239 §8.1: X-Real-IP is always ours', () => {
    assert.deepEqual(chain('X-Real-IP: 6.6.6.6').sent['x-real-ip'], ['10.0.0.1']);
  });

  test('Trace Context §3.2: a valid traceparent goes on with its tracestate, an invalid one is replaced without', () => {
    const good = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const passed = chain(`traceparent: ${good}`, 'tracestate: a=1');
    assert.deepEqual(passed.sent['traceparent'], [good]);
    assert.deepEqual(passed.sent['tracestate'], ['a=1']);
    assert.equal(passed.traceId, '0af7651916cd43dd8448eb211c80319c');
    assert.equal(chain(`traceparent: cc${good.slice(2)}-later`).traceId, passed.traceId);
    const invalid = [
      ...[`ff${good.slice(2)}`, good.toUpperCase(), `${good}-x`, good.slice(0, -1), good.replace('-01', '_01'), ''],
      ...[
        '00-00000000000000000000000000000000-b7ad6b7169203331-01',
        '00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01',
      ],
    ];
    for (const value of invalid) {
      const { sent, traceId, requestId } = chain(`traceparent: ${value}`, 'tracestate: a=1');
      assert.match(sent['traceparent']?.join() ?? '', /^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/, value);
      assert.equal(sent['tracestate'], undefined, value);
      assert.equal(traceId, requestId);
    }
  });

  test('HTTP/1.0 through a trusted proxy: the version in Via', () => {
    assert.deepEqual(forward({ peer: '10.0.0.1', trusted, version: '1.0' }).sent['via'], ['1.0 gw-7f']);
  });

  test('the client does not outlive its request', () => {
    const options = { peer: '10.0.0.1', trusted };
    const { writer, forwarding } = writerFor(options);
    assert.equal(
      send(writer, forwarding, parse({ ...options, fields: ['X-Forwarded-For: 2001:db8::5'] })).client,
      '2001:db8::5',
    );
    assert.equal(send(writer, forwarding, parse(options)).client, '10.0.0.1');
  });
});

describe('Forwarded (RFC 7239)', () => {
  const trusted = ['10.0.0.0/8'];
  const only = (...fields: string[]): Result =>
    forward({ peer: '10.0.0.1', trusted, fields, forwarding: { forwarded: true, xForwarded: false } });
  const ours = 'for=10.0.0.1;host="shop.example";proto=http';

  test('§4: elements are continued and read', () => {
    const { sent, client } = only('Forwarded: for=6.6.6.6, For="198.51.100.7:80";proto=https;by=_x, for=10.9.9.9');
    assert.deepEqual(sent['forwarded'], [
      `for=6.6.6.6, For="198.51.100.7:80";proto=https;by=_x, for=10.9.9.9, ${ours}`,
    ]);
    assert.equal(client, '198.51.100.7');
    assert.equal(only('Forwarded: for="[2001:db8::5]:4711"').client, '2001:db8::5');
  });

  test('a comma or an address in a quoted string is no element', () => {
    assert.equal(only('Forwarded: for=198.51.100.7;host="a, for=6.6.6.6"').client, '198.51.100.7');
    assert.equal(only('Forwarded: for=198.51.100.7;host="a\\", for=6.6.6.6"').client, '198.51.100.7');
  });

  test('a malformed line is cut off whole, with the lines before it', () => {
    for (const bad of [
      'for=6.6.6.6;x="',
      'for',
      'for=',
      '=1',
      'for=1.2.3.4;',
      'for=1.1.1.1;for=2.2.2.2',
      'for="a"b',
      'for=[::1]',
      'for=a b',
      ',',
      '',
    ]) {
      const { sent, client } = only(
        'Forwarded: for=6.6.6.6',
        `Forwarded: ${bad}, for=198.51.100.7`,
        'Forwarded: for=10.3.3.3',
      );
      assert.deepEqual(sent['forwarded'], [`for=10.3.3.3, ${ours}`], bad);
      assert.equal(client, '10.3.3.3', bad);
    }
  });

  test('an element that names nobody ends the search', () => {
    assert.equal(only('Forwarded: for=6.6.6.6, proto=https, for=10.3.3.3').client, '10.3.3.3');
  });

  test('only the chain that this listener writes is believed', () => {
    const fields = ['X-Forwarded-For: 198.51.100.7', 'Forwarded: for=6.6.6.6'];
    const both = forward({ peer: '10.0.0.1', trusted, fields, forwarding: { forwarded: true } });
    assert.equal(both.client, '198.51.100.7');
    assert.deepEqual(both.sent['forwarded'], [`for=6.6.6.6, ${ours}`]);
    assert.equal(only(...fields).client, '6.6.6.6');
  });

  test('switched off, what a trusted proxy sends goes on untouched', () => {
    const fields = ['Forwarded: for=6.6.6.6', 'X-Forwarded-For: 6.6.6.6'];
    const { sent } = forward({ peer: '10.0.0.1', trusted, fields, forwarding: { xForwarded: false } });
    assert.deepEqual(sent['forwarded'], ['for=6.6.6.6']);
    assert.deepEqual(sent['x-forwarded-for'], ['6.6.6.6']);
  });
});

test('the places of User-Agent and Referer are those among the fields that go on', () => {
  const fields = [
    'X-Forwarded-For: 6.6.6.6',
    'Connection: x-gone',
    'X-Gone: 1',
    'User-Agent: a',
    'Via: 1.1 b',
    'Referer: c',
    'User-Agent: d',
  ];
  const { writer, forwarding } = writerFor({});
  const head = parse({ fields });
  const { lines } = send(writer, forwarding, head);
  const text = lines.join('\r\n');
  assert.equal(text.slice(forwarding.userAgentOffset).indexOf('User-Agent: a'), 0);
  assert.equal(text.slice(forwarding.refererOffset).indexOf('Referer: c'), 0);
  send(writer, forwarding, parse({}));
  assert.deepEqual([forwarding.userAgentOffset, forwarding.refererOffset], [-1, -1]);
});

describe('ids and blocks', () => {
  test('each request has an id of its own, the same in X-Request-Id, traceparent and the record', () => {
    const { writer, forwarding } = writerFor({});
    const head = parse({});
    const seen = new Set<string>();
    const spans = new Set<string>();
    // More than one block lasts, so that the renewal is passed.
    for (let count = 0; count < 70_000; count += 1) {
      assert.equal(writer.prepare(forwarding, head), OK);
      const out = new Uint8Array(forwarding.room);
      const end = writer.write(forwarding, head, out, 0);
      if (count % 500 !== 0) continue;
      const text = Buffer.from(out).toString('latin1', 0, end);
      const id = text.slice(forwarding.requestIdStart, forwarding.requestIdEnd);
      assert.match(text, new RegExp(`X-Request-Id: ${id}\r\ntraceparent: 00-${id}-([0-9a-f]{16})-01\r\n`));
      seen.add(id);
      spans.add(/-([0-9a-f]{16})-01/.exec(text)?.[1] ?? '');
    }
    assert.equal(seen.size, 140);
    assert.equal(new Set([...spans].map((span) => span.slice(8))).size, 140);
    assert.equal(new Set([...seen].map((id) => id.slice(0, 16))).size, 2);
  });

  test('the same connection may ask for one Host after another', () => {
    const { writer, forwarding } = writerFor({});
    for (const host of ['a.example', 'b.example', 'a.example', 'a.example:80', 'b.example']) {
      assert.deepEqual(send(writer, forwarding, parse({ host })).sent['x-forwarded-host'], [host]);
    }
  });

  test('a block does not look into the buffer it was made from, which others read into', () => {
    const { writer, forwarding } = writerFor({});
    const head = parse({ host: 'one.example' });
    send(writer, forwarding, head);
    head.buffer.set(Buffer.from('two'), head.hostStart);
    assert.deepEqual(send(writer, forwarding, head).sent['x-forwarded-host'], ['two.example']);
    assert.deepEqual(send(writer, forwarding, parse({ host: 'one.example' })).sent['x-forwarded-host'], [
      'one.example',
    ]);
  });

  test('connections that share a block keep their own address', () => {
    const { writer } = writerFor({});
    const one = new Forwarding(addressFrom('192.0.2.1'));
    const two = new Forwarding(addressFrom('192.0.2.2'));
    for (const [forwarding, address] of [
      [one, '192.0.2.1'],
      [two, '192.0.2.2'],
      [one, '192.0.2.1'],
    ] as const) {
      assert.deepEqual(send(writer, forwarding, parse({})).sent['x-real-ip'], [address]);
    }
    assert.equal(one.block, two.block);
  });

  test('after a reload a connection follows the new plan', () => {
    const { writer, forwarding } = writerFor({});
    send(writer, forwarding, parse({}));
    const next = writerFor({ secure: true }).writer;
    assert.deepEqual(send(next, forwarding, parse({})).sent['x-forwarded-proto'], ['https']);
  });
});

test('whatever a trusted proxy sends, what goes out is field lines of the right form, in the room that was asked for', () => {
  const value = fc.stringMatching(/^[ -~]{0,40}$/);
  const hops = fc.array(fc.oneof(fc.ipV4(), fc.ipV6(), value, fc.constantFrom('unknown', '_a', '[::1]:1', '')), {
    maxLength: 40,
  });
  const names = [
    'X-Forwarded-For',
    'Forwarded',
    'X-Forwarded-Proto',
    'X-Forwarded-Host',
    'X-Forwarded-Port',
    'X-Request-Id',
    'traceparent',
  ];
  const line = fc.tuple(
    fc.constantFrom(...names),
    fc.oneof(
      value,
      hops.map((all) => all.join(', ')),
      hops.map((all) => all.map((hop) => `for=${hop}`).join(',')),
    ),
  );
  fc.assert(
    fc.property(fc.array(line, { maxLength: 6 }), fc.boolean(), fc.boolean(), (lines, isTrusted, forwarded) => {
      const fields = lines.map(([name, text]) => `${name}: ${text}`);
      const result = forward({
        peer: '10.0.0.1',
        trusted: isTrusted ? ['10.0.0.0/8'] : [],
        fields,
        forwarding: { forwarded },
      });
      for (const name of [
        'x-forwarded-for',
        'x-real-ip',
        'x-forwarded-proto',
        'x-forwarded-host',
        'x-forwarded-port',
        'x-request-id',
        'traceparent',
      ]) {
        assert.equal(result.sent[name]?.length, 1, name);
      }
      assert.ok(addressFrom(result.client), result.client);
      assert.ok(result.sent['x-forwarded-for']?.[0]?.endsWith('10.0.0.1'));
      for (const hop of result.sent['x-forwarded-for']?.[0]?.split(',') ?? []) {
        assert.match(hop.trim(), /^([0-9a-fA-F.:]+|\[[0-9a-fA-F:.]+\](:\d+)?|unknown|_[!-~]+)$/i);
      }
      if (!isTrusted) assert.equal(result.client, '10.0.0.1');
    }),
    { numRuns: 500 },
  );
});
