/** What is read is what was written, however it is cut up; and whatever else comes ends, in a coded error. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import { SpillwayError } from '../../kernel/errors.ts';
import { FrameSplitter, JuteReader, JuteWriter } from './jute.ts';
import { readEvent, readHeader, readWelcome, verbs, writeHello } from './messages.ts';

const empty = new Uint8Array(0);
const open = [{ permissions: 31, scheme: 'world', id: 'anyone' }];
const fields = { path: '/a', data: empty, acl: open, ephemeral: true, sequential: true, container: false };
/** Everything that reads what a server sent. */
const readers: readonly ((bytes: Uint8Array) => unknown)[] = [
  readWelcome,
  (bytes) => {
    const reader = new JuteReader(bytes);
    return [readHeader(reader), readEvent(reader)];
  },
  ...[
    verbs.create(fields),
    verbs.delete('/a', 1),
    verbs.set('/a', empty, 1),
    verbs.exists('/a', true),
    verbs.get('/a', true),
    verbs.children('/a', true),
    verbs.sync('/a'),
    verbs.multi([
      { op: 'create', ...fields },
      { op: 'set', path: '/a', data: empty, version: 1 },
      { op: 'delete', path: '/a', version: 1 },
      { op: 'check', path: '/a', version: 1 },
    ]),
  ].map((verb) => (bytes: Uint8Array) => verb.read(new JuteReader(bytes))),
];

function codeOf(run: () => unknown): string | null {
  try {
    run();
    return null;
  } catch (error) {
    return error instanceof SpillwayError ? error.code : `not coded: ${String(error)}`;
  }
}

test('any bytes are a message or a coded error', () => {
  // Lengths and types that mean something, mixed with what does not.
  const word = fc.oneof(fc.integer({ min: -2, max: 20 }), fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }));
  const words = fc.array(word, { maxLength: 60 }).map((values) => {
    const bytes = Buffer.alloc(4 * values.length);
    for (const [at, value] of values.entries()) bytes.writeInt32BE(value, 4 * at);
    return bytes;
  });
  let read = 0;
  fc.assert(
    fc.property(fc.oneof(words, fc.uint8Array({ maxLength: 300 })), fc.nat(3), (bytes, cut) => {
      for (const reader of readers) {
        const code = codeOf(() => reader(bytes.subarray(0, Math.max(0, bytes.length - cut))));
        if (code === null) read += 1;
        else assert.equal(code, 'STORE_UNAVAILABLE');
      }
    }),
    { numRuns: 2000 },
  );
  assert.ok(read > 2000, `only ${read} were messages`);
});

test('values come back as they were written', () => {
  const int = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
  const long = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });
  const text = fc.string({ unit: 'grapheme' });
  const bytes = fc.uint8Array({ maxLength: 2000 });
  fc.assert(
    fc.property(int, long, fc.boolean(), text, fc.array(text), bytes, (one, two, three, four, five, six) => {
      const frame = new JuteWriter().int(one).long(two).bool(three).string(four).strings(five).buffer(six).frame();
      assert.equal(frame.readInt32BE(0), frame.length - 4);
      const reader = new JuteReader(frame.subarray(4));
      assert.deepEqual(
        [
          reader.int(),
          reader.long(),
          reader.bool(),
          reader.string(),
          reader.strings(),
          Uint8Array.from(reader.buffer()),
        ],
        [one, two, three, four, five, six],
      );
      assert.equal(reader.left, 0);
    }),
  );
});

test('messages are the same however the bytes are cut up', () => {
  const messages = fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 10 });
  fc.assert(
    fc.property(messages, fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }), (given, cuts) => {
      const stream = Buffer.concat(given.map((bytes) => new JuteWriter().buffer(bytes).frame().subarray(4)));
      const splitter = new FrameSplitter(50);
      const taken: Uint8Array[] = [];
      for (let at = 0, turn = 0; at < stream.length; turn++) {
        const end = at + cuts[turn % cuts.length]!;
        splitter.push(stream.subarray(at, end));
        at = end;
        for (let next = splitter.next(); next !== null; next = splitter.next()) taken.push(Uint8Array.from(next));
      }
      assert.deepEqual(taken, given);
    }),
  );
});

test('a length above the maximum or below none is refused as soon as it is there', () => {
  const outside = fc.oneof(fc.integer({ min: 51, max: 2 ** 31 - 1 }), fc.integer({ min: -(2 ** 31), max: -1 }));
  fc.assert(
    fc.property(outside, (length) => {
      const splitter = new FrameSplitter(50);
      splitter.push(new JuteWriter().int(length).frame().subarray(4));
      assert.equal(
        codeOf(() => splitter.next()),
        'STORE_UNAVAILABLE',
      );
    }),
  );
});

test('the greeting is that of the protocol, byte for byte', () => {
  const hello = writeHello({ lastZxid: 5n, timeoutMs: 1000, sessionId: 0x0102n, password: new Uint8Array(16).fill(7) });
  const expected = ['0000002d', '00000000', '0000000000000005', '000003e8', '0000000000000102', '00000010'];
  assert.equal(hello.toString('hex'), [...expected, '07'.repeat(16), '00'].join(''));
});
