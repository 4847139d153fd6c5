import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { ascii } from '../../kernel/bytes.ts';
import { LINE_BYTES_MAX, LineWriter } from './line.ts';
import type { LogRecord } from './record.ts';

const clientText = Buffer.from('203.0.113.9');

function recordOf(head: string | Uint8Array, changes: Partial<LogRecord> = {}): LogRecord {
  const bytes = Buffer.from(head as string, 'latin1');
  const host = Buffer.from('shop.example');
  const fields = bytes.indexOf('\n') + 1;
  const offset = (name: string): number => {
    const at = bytes.toString('latin1').toLowerCase().indexOf(`\n${name}:`);
    return at < 0 ? -1 : at + 1 - fields;
  };
  return {
    ...{ wallMs: Date.UTC(2026, 7, 1, 12, 30, 5, 42), head: bytes, headFrom: 0, headTo: bytes.length, minorVersion: 1 },
    ...{ host, hostFrom: 0, hostTo: host.length, requestIdFrom: 0, requestIdTo: 0, status: 200 },
    ...{ trace: new Uint8Array(0), traceFrom: -1, spanHigh: 0, spanLow: 0 },
    ...{ userAgentOffset: offset('user-agent'), refererOffset: offset('referer') },
    ...{
      bytesIn: 0,
      bytesOut: 5,
      clientText,
      clientLength: clientText.length,
      listener: 'web',
      route: 'r',
      service: 's',
    },
    ...{
      askedPath: new Uint8Array(0),
      arm: '',
      limit: '',
      mirrored: false,
      endpoint: '127.0.0.1:9001',
      attempts: 1,
      reused: true,
      tls: '',
      waitMs: 0,
      connectMs: -1,
      tlsMs: -1,
      firstByteMs: 1.25,
    },
    ...{ bodyMs: 0.5, clientMs: 0.001, totalMs: 1.7504, verdict: 'ok', refusal: '', end: 'ok', ...changes },
  };
}

function textOf(record: LogRecord, redact: readonly string[] = []): string {
  const out = Buffer.alloc(LINE_BYTES_MAX + 20, 0xee);
  const end = new LineWriter(redact).write(record, out, 10);
  assert.ok(end <= 10 + LINE_BYTES_MAX, `${end - 10} bytes`);
  assert.equal(out[end], 0xee);
  return out.toString('latin1', 10, end);
}

function lineOf(record: LogRecord, redact: readonly string[] = []): Record<string, unknown> {
  const text = textOf(record, redact);
  assert.match(text, /^[\x20-\x7e]*\n$/, 'one line of printable ASCII');
  const keys = [...text.matchAll(/[{,]"(\w+)":/g)].map((match) => match[1]);
  assert.ok(keys.length > 5);
  return JSON.parse(text) as Record<string, unknown>;
}

const get = (target: string, ...fields: string[]): string =>
  [`GET ${target} HTTP/1.1`, 'Host: shop.example', ...fields, ''].join('\r\n');

test('a line has the fields of the request and where its time went', () => {
  const fields = [
    'User-Agent: curl/8',
    'Referer: https://a.example/x',
    'X-Request-Id: 0af7651916cd43dd8448eb211c80319c',
  ];
  const head = get('/a/b?c=1', ...fields);
  const id = head.indexOf('0af7');
  const line = lineOf(
    recordOf(head, {
      requestIdFrom: id,
      requestIdTo: id + 32,
      trace: ascii(head),
      traceFrom: id,
      spanHigh: -1,
      spanLow: 10,
    }),
  );
  assert.deepEqual(line, {
    ...{
      time: '2026-08-01T12:30:05.042Z',
      client: '203.0.113.9',
      listener: 'web',
      method: 'GET',
      host: 'shop.example',
    },
    ...{ path: '/a/b', query: 'c=1', protocol: 'HTTP/1.1', userAgent: 'curl/8', referer: 'https://a.example/x' },
    ...{
      correlation_id: '0af7651916cd43dd8448eb211c80319c',
      trace_id: '0af7651916cd43dd8448eb211c80319c',
      span_id: 'ffffffff0000000a',
    },
    status: 200,
    ...{ bytesIn: 0, bytesOut: 5, route: 'r', service: 's', endpoint: '127.0.0.1:9001', attempts: 1, reused: true },
    ms: { total: 1.75, wait: 0, firstByte: 1.25, body: 0.5, client: 0.001 },
    ...{ verdict: 'ok', end: 'ok' },
  });
});

test('a line tells the path that was asked for, the arm, and that there was a copy', () => {
  const route = { askedPath: Buffer.from('/users/7'), arm: 'canary', mirrored: true };
  const line = lineOf(recordOf(get('/v2/7?c=1', 'User-Agent: curl/8'), route));
  assert.deepEqual(
    [line['path'], line['query'], line['arm'], line['mirrored'], line['userAgent']],
    ['/users/7', 'c=1', 'canary', true, 'curl/8'],
  );
});

test('a request that could not be read has a line too', () => {
  const nothing = {
    headTo: 0,
    route: '',
    service: '',
    endpoint: '',
    attempts: 0,
    status: 400,
    refusal: 'bad_request_line',
  };
  const line = lineOf(recordOf('\x16\x03\x01', { ...nothing, waitMs: -1, firstByteMs: -1, bodyMs: -1, clientMs: -1 }));
  assert.equal(line['refusal'], 'bad_request_line');
  assert.deepEqual(line['ms'], { total: 1.75 });
  assert.ok(!('method' in line) && !('route' in line));
});

test('docs/access-log.md tells of each key a line can have, and of no other', () => {
  const page = readFileSync(join(import.meta.dirname, '../../../docs/access-log.md'), 'utf8');
  const [lineKeys = '', times = ''] = page.split('Times in `ms`');
  const named = (table: string): string[] =>
    [...table.matchAll(/^\| ((?:`\w+`(?:, )?)+) \|/gm)].flatMap((row) => row[1]!.replaceAll('`', '').split(', '));
  const head = get('/?q', `User-Agent: ${'a'.repeat(999)}`, 'Referer: b');
  const all = {
    requestIdTo: 5,
    trace: ascii(head),
    traceFrom: head.indexOf('aaa'),
    tls: 'TLSv1.3',
    connectMs: 1,
    tlsMs: 1,
    refusal: 'x',
    limit: 'few',
    arm: 'canary',
    mirrored: true,
  };
  const { ms, ...line } = lineOf(recordOf(head, all));
  assert.deepEqual(named(lineKeys).toSorted(), [...Object.keys(line), 'ms'].toSorted());
  assert.deepEqual(['total', ...named(times.split('##')[0]!)].toSorted(), Object.keys(ms as object).toSorted());
});

describe('what a client sends cannot leave its string', () => {
  test('RFC 8259 §7: quotes, backslashes, line ends, terminal codes and bytes beyond ASCII', () => {
    const evil = '"},\\"\x1b[2J\x00\x7f\x9b\xff';
    const line = lineOf(
      recordOf(get(`/${evil}?${evil}`, `User-Agent: ${evil}`, `Referer: ${evil}`), {
        host: Buffer.from(evil, 'latin1'),
      }),
    );
    for (const key of ['userAgent', 'referer']) assert.equal(line[key], evil, key);
    assert.equal(line['path'], `/${evil}`);
    assert.equal(line['query'], evil);
  });

  test('RFC 8259 §7: any bytes: one valid, bounded line', () => {
    const bytes = fc.uint8Array({ maxLength: 3000 });
    const piece = fc.oneof(
      bytes,
      fc
        .constantFrom('GET /', ' HTTP/1.1\r\n', '\r\nUser-Agent: ', '\nReferer:', '?a=', '&', '\n', ' ')
        .map((text) => Buffer.from(text)),
    );
    const name = fc.string({ unit: 'binary', maxLength: 300 });
    const number = fc.oneof(fc.nat(), fc.constantFrom(0, 2 ** 53 - 1));
    const ms = fc.oneof(fc.constant(-1), fc.double({ min: 0, max: 1e12, noNaN: true }));
    const redact = fc.array(fc.constantFrom('*', 'a', 'token'), { maxLength: 2 });
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 12 }),
        bytes,
        name,
        number,
        ms,
        redact,
        (pieces, host, text, count, time, names) => {
          const head = Buffer.concat(pieces);
          const durations = {
            waitMs: time,
            connectMs: time,
            tlsMs: time,
            firstByteMs: time,
            bodyMs: time,
            clientMs: time,
            totalMs: Math.max(0, time),
          };
          const strings = { listener: text, route: text, service: text, arm: text, endpoint: text, mirrored: true };
          const counts = { bytesIn: count, bytesOut: count, status: 599, attempts: 100 };
          const ids = { requestIdFrom: 0, requestIdTo: head.length, traceFrom: -1 };
          const record = recordOf(head, {
            ...strings,
            ...counts,
            ...durations,
            ...ids,
            host,
            hostTo: host.length,
            tls: 'TLSv1.3',
          });
          const out = Buffer.alloc(LINE_BYTES_MAX);
          const end = new LineWriter(names).write(
            { ...record, end: 'aborted', refusal: 'bad_connection_option' },
            out,
            0,
          );
          const line = out.toString('utf8', 0, end);
          assert.equal(line.indexOf('\n'), line.length - 1);
          const parsed = JSON.parse(line) as Record<string, unknown>;
          assert.equal(parsed['bytesOut'], count);
          // eslint-disable-next-line no-control-regex
          assert.doesNotMatch(line.slice(0, -1), /[\x00-\x1f]/);
        },
      ),
      { numRuns: 500 },
    );
  });
});

describe('bounds', () => {
  test('long texts are cut, and the line says so', () => {
    const long = 'x'.repeat(8000);
    const line = lineOf(
      recordOf(get(`/${long}?${long}`, `User-Agent: ${long}`, `Referer: ${long}?${long}`), {
        listener: 'l'.repeat(500),
      }),
    );
    assert.equal(line['cut'], true);
    assert.equal(String(line['path']).length, 900);
    assert.ok(!('cut' in lineOf(recordOf(get('/')))));
  });

  test('the second of a repeated field is left out: a key is there once', () => {
    const many = Array.from({ length: 100 }, (_, index) => `Referer: ${'\xff'.repeat(300)}${index}`);
    const text = textOf(recordOf(get('/', 'User-Agent: one', 'User-Agent: two', ...many)));
    assert.equal(text.match(/"referer"/g)?.length, 1);
    assert.match(text, /"userAgent":"one"/);
    assert.doesNotMatch(text, /two/);
  });

  test('fields are found where the head that was sent has a line more in front than the client sent', () => {
    const head = get('/', 'User-Agent: one', 'Referer: two');
    for (const wrong of [0, 3, 5000]) {
      const line = lineOf(recordOf(head, { userAgentOffset: wrong, refererOffset: wrong }));
      assert.deepEqual([line['userAgent'], line['referer']], ['one', 'two']);
    }
    assert.equal(lineOf(recordOf(get('/'), { userAgentOffset: 3 }))['userAgent'], '');
  });

  test('RFC 9110 §17.8: other fields are never looked at', () => {
    const text = textOf(
      recordOf(
        get(
          '/',
          'Authorization: Bearer secret',
          'Cookie: sid=secret',
          'Proxy-Authorization: secret',
          'Referrer: secret',
          'User-Agents: secret',
        ),
      ),
    );
    assert.doesNotMatch(text, /secret/);
  });
});

describe('redaction of query parameters (RFC 9110 §17.9)', () => {
  const query = (text: string, ...names: string[]): unknown => lineOf(recordOf(get(`/?${text}`)), names)['query'];

  test('values of the named parameters become *, whatever the case or encoding of the name', () => {
    assert.equal(query('a=1&token=secret&b=2', 'token'), 'a=1&token=*&b=2');
    assert.equal(query('TOKEN=secret&Token=s', 'token'), 'TOKEN=*&Token=*');
    assert.equal(query('apikey=secret', 'apiKey'), 'apikey=*');
    assert.equal(query('t%6Fken=secret', 'token'), 't%6Fken=*');
    assert.equal(query('tok%C3%A9n=secret', 'tokén'), 'tok%C3%A9n=*');
  });

  test('others stay', () => {
    assert.equal(query('tokens=1&tok=2&token&=3&xtoken=4', 'token'), 'tokens=1&tok=2&token&=3&xtoken=4');
    assert.equal(query('a=1&&b', 'token'), 'a=1&&b');
    assert.equal(query('', 'token'), '');
    assert.equal(query('a%=1&%zz=2', 'token'), 'a%=1&%zz=2');
  });

  test('* is all of them', () => assert.equal(query('a=1&b=2&c', '*'), 'a=*&b=*&c'));

  test('a value after the first = goes whole', () => assert.equal(query('token=a=b', 'token'), 'token=*'));

  test('the query of a Referer too', () => {
    const line = lineOf(recordOf(get('/', 'Referer: https://a.example/?token=secret&x=1')), ['token']);
    assert.equal(line['referer'], 'https://a.example/?token=*&x=1');
  });

  test('a secret does not appear where the line is cut', () => {
    for (let length = 470; length < 520; length += 1) {
      const text = textOf(recordOf(get(`/?${'x'.repeat(length)}=1&token=secret`)), ['token']);
      assert.doesNotMatch(text, /secret|=s/, String(length));
    }
  });
});

test('names stay what they are when lines are written over each other', () => {
  const writer = new LineWriter([]);
  const out = Buffer.alloc(LINE_BYTES_MAX);
  for (const [route, endpoint] of [
    ['one', 'a'],
    ['two', 'b'],
    ['three', 'a'],
    ['one', 'a'],
    ['two', 'b'],
  ] as const) {
    out.fill(0x78);
    const end = writer.write(recordOf(get('/'), { route, endpoint }), out, 0);
    const line = JSON.parse(out.toString('latin1', 0, end)) as Record<string, unknown>;
    assert.deepEqual([line['route'], line['endpoint']], [route, endpoint]);
  }
});

test('numbers are what they were, of any length; milliseconds with three decimals', () => {
  const ofBits = (max: number) =>
    fc.tuple(fc.maxSafeNat(), fc.integer({ min: 0, max })).map(([value, bits]) => value % 2 ** bits);
  fc.assert(
    fc.property(ofBits(53), ofBits(53), ofBits(42), (bytesIn, bytesOut, micros) => {
      const text = textOf(recordOf(get('/'), { bytesIn, bytesOut, totalMs: micros / 1000 }));
      assert.ok(text.includes(`"bytesIn":${bytesIn},"bytesOut":${bytesOut},`), text);
      assert.ok(text.includes(`"total":${(micros / 1000).toFixed(3)},`), text);
    }),
  );
  for (const bytesOut of [9, 10, 99, 100, 2 ** 31 - 1, 2 ** 31, 10 ** 12, 2 ** 53 - 1]) {
    assert.equal(lineOf(recordOf(get('/'), { bytesOut }))['bytesOut'], bytesOut);
  }
});

describe('time', () => {
  const writer = new LineWriter([]);
  const time = (wallMs: number): unknown => {
    const out = Buffer.alloc(LINE_BYTES_MAX);
    return (
      JSON.parse(out.toString('latin1', 0, writer.write(recordOf(get('/'), { wallMs }), out, 0))) as { time: string }
    ).time;
  };
  test('is RFC 3339 in UTC with milliseconds, whichever second comes after which', () => {
    for (const wallMs of [0, 999, 1000, 1_790_000_000_000, 1_790_000_000_999.9, 1_790_000_001_000, 5]) {
      assert.equal(time(wallMs), new Date(Math.floor(wallMs)).toISOString());
    }
  });
});
