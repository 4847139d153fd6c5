/** What is written is what is read, in both encodings; and whatever else comes is read or refused, within bounds. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isCoded } from '../../kernel/errors.ts';
import type { SpanRecord } from '../trace/span-record.ts';
import { MessageType } from './message-type.ts';
import { ProtobufReader, ProtobufWriter } from './protobuf.ts';
import { STEP } from '../../kernel/steps.ts';
import { type DecodedTraces, decodeTraces, decodingTraces, encodeTraces, encodeTracesJson } from './traces.ts';

const hex = (digits: number): fc.Arbitrary<string> =>
  fc.stringMatching(new RegExp(`^[0-9a-f]{${digits - 1}}[1-9a-f]$`));
const text = fc.string({ unit: 'grapheme', maxLength: 20 });
const number = fc.oneof(
  fc.maxSafeInteger(),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value + 0),
);
const name = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 });
const attributes = fc
  .uniqueArray(fc.tuple(name, fc.oneof(text, number, fc.boolean())), { maxLength: 6, selector: ([key]) => key })
  .map((pairs) => Object.fromEntries(pairs));
// Multiples of 2^-11 ms, which are whole nanoseconds nowhere but equal themselves after rounding to them.
const ms = fc.integer({ min: 0, max: 2 ** 52 }).map((steps) => steps / 2 ** 11);
const plain = { noNullPrototype: true } as const;
const span: fc.Arbitrary<SpanRecord> = fc.record(
  {
    traceId: hex(32),
    spanId: hex(16),
    parentId: fc.option(hex(16)),
    state: fc.constantFrom('', 'a=1,b=2'),
    name: text,
    kind: fc.constantFrom('server', 'client', 'internal', 'producer', 'consumer'),
    startMs: ms,
    durationMs: fc.nat(2 ** 30).map((steps) => steps / 2 ** 11),
    status: fc.constantFrom('ok', 'error', 'unset'),
    statusMessage: fc.constant(''),
    service: fc.constantFrom('shop', 'till'),
    attributes,
    events: fc.array(fc.record({ timeMs: ms, name: text, attributes }, plain), { maxLength: 3 }),
    links: fc.array(fc.record({ traceId: hex(32), spanId: hex(16), attributes }, plain), { maxLength: 3 }),
    dropped: fc.record({ attributes: fc.nat(), events: fc.nat(), links: fc.nat() }, plain),
  },
  plain,
);

/** Spans leave by service; and their times are those of the wire. */
function comparable({ spans, rejected }: DecodedTraces): unknown {
  const near = (value: number): number => Math.round(value * 2048) / 2048;
  const of = ({ startMs, durationMs, events, ...rest }: SpanRecord): unknown => ({
    ...rest,
    startMs: near(startMs),
    durationMs: near(durationMs),
    events: events.map((event) => ({ ...event, timeMs: near(event.timeMs) })),
  });
  return { spans: spans.map(of), rejected };
}

test('spans come back as they were, by protobuf and by JSON', () => {
  fc.assert(
    fc.property(fc.array(span, { maxLength: 6 }), (spans) => {
      const byService = [...Map.groupBy(spans, ({ service }) => service).values()].flat();
      const expected = comparable({ spans: byService, rejected: 0 });
      assert.deepEqual(comparable(decodeTraces(encodeTraces(spans))), expected);
      assert.deepEqual(comparable(decodeTraces(encodeTracesJson(spans))), expected);
    }),
  );
});

test('an attribute without a name is none, and nobody is sent one', () => {
  fc.assert(
    fc.property(span, (one) => {
      const nameless = { ...one, attributes: { '': 'of nothing', ...one.attributes } };
      for (const encode of [encodeTraces, encodeTracesJson]) {
        assert.deepEqual(decodeTraces(encode([nameless])).spans[0]?.attributes, one.attributes);
      }
    }),
  );
});

test('what takes many steps is whole and in order, and no step is large', () => {
  const large = fc.integer({ min: 2000, max: 5000 });
  fc.assert(
    fc.property(fc.array(span, { minLength: 1, maxLength: 6 }), large, (few, count) => {
      // With events and links it may be more than is taken at once.
      const spans = Array.from({ length: count }, (_, at) => ({
        ...few[at % few.length]!,
        service: 'shop',
        name: `${at}`,
        events: [],
        links: [],
      }));
      const expected = comparable({ spans, rejected: 0 });
      for (const encoded of [encodeTraces(spans), encodeTracesJson(spans)]) {
        const steps = decodingTraces(encoded);
        let taken = 0;
        let step = steps.next();
        for (; step.done !== true; step = steps.next()) taken += 1;
        // Each span is a message and then a record.
        assert.ok(taken >= Math.floor(count / STEP) * 2, `${taken} steps`);
        assert.deepEqual(comparable(step.value), expected);
      }
    }),
    { numRuns: 10 },
  );
});

/** Null if it was read. */
function refusalOf(run: () => DecodedTraces): string | null {
  try {
    const { spans } = run();
    for (const { traceId, spanId, attributes } of spans) {
      assert.match(traceId, /^[0-9a-f]{32}$/);
      assert.match(spanId, /^[0-9a-f]{16}$/);
      assert.ok(Object.values(attributes).every((value) => ['string', 'number', 'boolean'].includes(typeof value)));
    }
    return null;
  } catch (error) {
    if (isCoded(error, 'OTLP_INVALID')) return error.message;
    throw error;
  }
}

test('any bytes are read or refused, also when they were spans and were changed', () => {
  const changes = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 });
  const changed = fc.tuple(fc.array(span, { maxLength: 2 }), changes, fc.nat(20)).map(([spans, places, cut]) => {
    const bytes = Buffer.from(encodeTraces(spans));
    for (const [at, byte] of places) if (bytes.length > 0) bytes[at % bytes.length] = byte;
    return bytes.subarray(0, Math.max(0, bytes.length - (cut > 10 ? 0 : cut)));
  });
  const seen = { read: 0, refused: 0 };
  fc.assert(
    fc.property(fc.oneof(changed, fc.uint8Array({ maxLength: 60 })), (bytes) => {
      seen[refusalOf(() => decodeTraces(bytes)) === null ? 'read' : 'refused'] += 1;
    }),
    { numRuns: 1000 },
  );
  assert.ok(seen.read > 20 && seen.refused > 20, JSON.stringify(seen));
});

test('any JSON is read or refused, also when it was spans and was changed', () => {
  const json = fc.json({ maxDepth: 6 });
  const changed = fc
    .tuple(fc.array(span, { maxLength: 2 }), fc.constantFrom('[', '{', '"', '1', 'null', ','), fc.nat())
    .map(([spans, token, at]) => {
      const whole = encodeTracesJson(spans);
      const place = at % whole.length;
      return whole.slice(0, place) + token + whole.slice(place + 1);
    });
  const named = fc.json().map((inner) => `{"resourceSpans":[{"scopeSpans":[{"spans":[{"attributes":${inner}}]}]}]}`);
  fc.assert(fc.property(fc.oneof(json, changed, named, fc.string()), (given) => void refusalOf(() => decodeTraces(given)))); // prettier-ignore
});

test('numbers of every size come back from the wire', () => {
  const integer = fc.oneof(fc.maxSafeInteger(), fc.integer({ min: -300, max: 300 }));
  fc.assert(
    fc.property(integer, ms, (value, time) => {
      const near = Math.trunc(value / 2);
      const writer = new ProtobufWriter();
      writer.varint(value);
      writer.zigzag(near);
      writer.fixed64(value);
      writer.nanoseconds(time);
      const reader = new ProtobufReader(writer.written);
      assert.equal(reader.signedVarint(), value);
      assert.equal(reader.zigzag() + 0, near + 0);
      assert.equal(reader.signedFixed64(), value);
      assert.ok(Math.abs(reader.nanoseconds() - time) <= Math.max(1e-6, time * 2 ** -52));
      assert.ok(reader.ended);
    }),
  );
});

test('what ends where the memory of a writer does is whole', () => {
  for (let before = 1000; before < 1030; before += 1) {
    for (const last of ['', 'a', 'abcdef', 'x'.repeat(130)]) {
      const writer = new ProtobufWriter();
      writer.text('b'.repeat(before));
      writer.text(last);
      const reader = new ProtobufReader(writer.written);
      assert.deepEqual([reader.text().length, reader.text(), reader.ended], [before, last, true]);
    }
  }
  for (let before = 320; before < 360; before += 1) {
    const writer = new ProtobufWriter();
    for (let digits = 0; digits < before; digits += 1) writer.hex('abcd');
    const reader = new ProtobufReader(writer.written);
    for (let digits = 0; digits < before; digits += 1) assert.equal(reader.hex(), 'abcd');
  }
});

test('numbers of 64 bits with a sign, at their ends', () => {
  for (const value of [-1, -128, -(2 ** 53), -(2 ** 62), -(2 ** 63), 2 ** 62]) {
    const writer = new ProtobufWriter();
    writer.varint(value);
    assert.equal(new ProtobufReader(writer.written).signedVarint(), value);
  }
  assert.equal(new ProtobufReader(Buffer.from('ffffffffffffffff7f', 'hex')).signedVarint(), 2 ** 63);
});

test('what would take memory or depth without end is refused', () => {
  const nested: MessageType = new MessageType({ within: [1, () => nested], many: [2, () => nested, 'repeated'] });
  const deep = (levels: number): object => (levels === 0 ? {} : { within: deep(levels - 1) });
  const many = (count: number): object => ({ many: Array.from({ length: count }, () => ({})) });
  for (const read of [
    (message: object) => nested.decode(nested.encode(message)),
    (message: object) => nested.decode(JSON.stringify(nested.toJson(message))),
  ]) {
    read(deep(31));
    assert.throws(() => read(deep(32)), { code: 'OTLP_INVALID', message: /deep/ });
    read(many(199_999));
    assert.throws(() => read(many(200_000)), { code: 'OTLP_INVALID', message: /200000 messages/ });
  }
  assert.throws(() => new ProtobufReader(Buffer.alloc(20, 0xff)).varint(), { code: 'OTLP_INVALID', message: /ten bytes/ }); // prettier-ignore
  // The inner message says that it has three bytes, the outer has given it one.
  assert.throws(() => nested.decode(Buffer.from('0a020a03080000', 'hex')), { code: 'OTLP_INVALID', message: /early/ });
  for (const tag of ['0b', '0c', '00', '07']) {
    assert.throws(() => nested.decode(Buffer.from(`${tag}00`, 'hex')), { code: 'OTLP_INVALID' }, tag);
  }
});
