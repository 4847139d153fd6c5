/** What is written is what `protoc` reads, field by field, and writes again to the byte; and the other way round. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MessageType } from '../../src/observe/otlp/message-type.ts';
import { decodeTraces, encodeTraces } from '../../src/observe/otlp/traces.ts';
import type { SpanRecord } from '../../src/observe/trace/span-record.ts';
import { protocDecode, protocEncode } from './protoc.ts';

const scalars: MessageType = new MessageType({
  aDouble: [1, 'double'],
  aUint32: [2, 'uint32'],
  aUint64: [3, 'uint64'],
  anInt32: [4, 'int32'],
  anInt64: [5, 'int64'],
  aSint32: [6, 'sint32'],
  aSint64: [7, 'sint64'],
  aFixed32: [8, 'fixed32'],
  aFixed64: [9, 'fixed64'],
  aSfixed64: [10, 'sfixed64'],
  aBool: [11, 'bool'],
  aString: [12, 'string'],
  anId: [13, 'id'],
  someBytes: [14, 'bytes'],
  doubles: [15, 'double', 'repeated'],
  uint64s: [16, 'uint64', 'repeated'],
  sint64s: [17, 'sint64', 'repeated'],
  strings: [18, 'string', 'repeated'],
  within: [19, () => scalars],
});

const large = 'ü€😀'.repeat(100);
const messages: Readonly<Record<string, readonly [message: object, text: readonly string[]]>> = {
  nothing: [{}, []],
  numbers: [
    { aDouble: 0.1, aUint32: 300, aUint64: 2 ** 53, anInt32: -1, anInt64: -(2 ** 53), aSint32: -2, aSint64: 2 ** 40 },
    ['a_double: 0.1', 'a_uint32: 300', 'a_uint64: 9007199254740992', 'an_int32: -1', 'an_int64: -9007199254740992'],
  ],
  'the least and the greatest': [
    { aUint64: 2 ** 64 - 2 ** 11, anInt64: -(2 ** 63), aFixed32: 2 ** 32 - 1, aFixed64: 1.8e18, aSfixed64: -1 },
    ['a_uint64: 18446744073709549568', 'an_int64: -9223372036854775808', 'a_fixed64: 1800000000000000000'],
  ],
  'texts and bytes': [
    { aBool: true, aString: large, anId: '00ff10', someBytes: 'AP8Q' },
    ['a_bool: true', String.raw`an_id: "\000\377\020"`, String.raw`some_bytes: "\000\377\020"`],
  ],
  lists: [
    { doubles: [1, -2.5], uint64s: Array.from({ length: 100 }, (_, at) => at), sint64s: [-1, 1], strings: ['', 'a'] },
    ['doubles: 1', 'doubles: -2.5', 'uint64s: 99', 'sint64s: -1', 'strings: ""', 'strings: "a"'],
  ],
  'messages within messages': [{ within: { within: { aString: large, within: {} } } }, ['within {']],
  'a message of 40,000 bytes': [{ within: { aString: 'x'.repeat(40_000) } }, ['within {']],
};

for (const [what, [message, lines]] of Object.entries(messages)) {
  test(`protoc agrees about ${what}`, () => {
    const bytes = scalars.encode(message);
    const text = protocDecode('Scalars', bytes);
    for (const line of lines) assert.ok(text.includes(line), `${line} is not in\n${text}`);
    assert.deepEqual(Buffer.from(bytes), protocEncode('Scalars', text));
    const read = scalars.decode(bytes);
    assert.deepEqual(scalars.encode(read), bytes);
    assert.deepEqual(scalars.decode(JSON.stringify(scalars.toJson(message))), read);
  });
}

test('lists of numbers are read unpacked too, and fields that nobody knows are left out', () => {
  assert.deepEqual(scalars.decode(Buffer.from('800101800102fa010131c03e07', 'hex')), {
    uint64s: [1, 2],
  });
});

const span: SpanRecord = {
  traceId: '0af7651916cd43dd8448eb211c80319c',
  spanId: 'b7ad6b7169203331',
  parentId: '00f067aa0ba902b7',
  state: 'congo=t61rcWkgMzE',
  name: 'GET /cart/{id}',
  kind: 'server',
  startMs: 1_800_000_000_000.5,
  durationMs: 12.25,
  status: 'error',
  statusMessage: 'the till is closed',
  service: 'shop',
  attributes: { 'http.route': '/cart/{id}', 'http.response.status_code': 500, share: 0.5, cached: false, empty: '' },
  events: [{ timeMs: 1_800_000_000_001, name: 'retry', attributes: { attempt: 2 } }],
  links: [{ traceId: '4bf92f3577b34da6a3ce929d0e0e4736', spanId: '53995c3f42cd8ad8', attributes: {} }],
  dropped: { attributes: 1, events: 2, links: 3 },
};

test('each field of a span is where protoc finds it', () => {
  const bytes = encodeTraces([span], { 'deployment.environment': 'test' });
  const text = protocDecode('TracesRequest', bytes);
  assert.deepEqual(Buffer.from(bytes), protocEncode('TracesRequest', text));
  const flat = text.replaceAll(/\s+/g, ' ');
  const parts = [
    'key: "service.name" value { string_value: "shop" }',
    'key: "deployment.environment" value { string_value: "test" }',
    'scope { name: "spillway" version: "',
    String.raw`trace_id: "\n\367e\031\026\315C\335\204H\353!\034\2001\234"`,
    String.raw`span_id: "\267\255kqi 31" trace_state: "congo=t61rcWkgMzE" parent_span_id: "\000\360g\252\013\251\002\267"`,
    'name: "GET /cart/{id}" kind: SERVER',
    'start_time_unix_nano: 1800000000000500000 end_time_unix_nano: 1800000000012750000',
    'key: "http.response.status_code" value { int_value: 500 }',
    'key: "share" value { double_value: 0.5 }',
    'key: "cached" value { bool_value: false }',
    'key: "empty" value { string_value: "" }',
    'dropped_attributes_count: 1',
    'events { time_unix_nano: 1800000000001000000 name: "retry" attributes { key: "attempt" value { int_value: 2 } } }',
    'dropped_events_count: 2 links { trace_id: ',
    'dropped_links_count: 3',
    'status { message: "the till is closed" code: ERROR }',
  ];
  for (const part of parts) assert.ok(flat.includes(part), `${part} is not in ${flat}`);
  assert.deepEqual(decodeTraces(bytes), { spans: [span], rejected: 0 });
});

test('a span that protoc wrote is read, with values of every kind', () => {
  const text = String.raw`
    resource_spans { scope_spans {
      spans {
        trace_id: "0123456789abcdef" span_id: "01234567" kind: CONSUMER end_time_unix_nano: 5
        attributes { key: "list" value { array_value { values { int_value: -1 } values { string_value: "a" } values {} } } }
        attributes { key: "map" value { kvlist_value { values { key: "k" value { bool_value: true } } } } }
        attributes { key: "bytes" value { bytes_value: "\000\377" } }
        attributes { key: "infinite" value { double_value: inf } }
        attributes { key: "none" }
        links { trace_id: "short" }
        status { code: OK }
      }
      spans { trace_id: "0123456789abcdef" span_id: "\000\000\000\000\000\000\000\000" }
    } }`;
  const { spans, rejected } = decodeTraces(protocEncode('TracesRequest', text));
  assert.equal(rejected, 1);
  const [{ attributes, kind, status, service, parentId, startMs, durationMs, links, dropped }] = spans as [SpanRecord];
  assert.deepEqual(attributes, {
    list: '[-1,"a",null]',
    map: '{"k":true}',
    bytes: 'AP8=',
    infinite: 'Infinity',
    none: '',
  });
  assert.deepEqual({ kind, status, service, parentId }, { kind: 'consumer', status: 'ok', service: 'unknown_service', parentId: null }); // prettier-ignore
  assert.deepEqual({ startMs, durationMs, links, dropped: dropped.links }, { startMs: 0, durationMs: 5e-6, links: [], dropped: 1 }); // prettier-ignore
});
