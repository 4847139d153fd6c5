import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { EventStream } from './event-stream.ts';

const event = fc.record(
  {
    event: fc.constantFrom('whole', 'change'),
    data: fc.string({ unit: 'grapheme' }).map((text) => JSON.stringify(text)),
  },
  { noNullPrototype: true },
);

test('events are the same however the text is cut', () => {
  fc.assert(
    fc.property(fc.array(event), fc.array(fc.nat(40)), (events, cuts) => {
      let text = events.map(({ event: name, data }) => `event: ${name}\ndata: ${data}\n\n`).join('');
      const stream = new EventStream();
      const read = [];
      for (const length of cuts) {
        read.push(...stream.add(text.slice(0, length)));
        text = text.slice(length);
      }
      assert.deepEqual([...read, ...stream.add(text)], events);
    }),
  );
});

test('an event that does not end is not kept for ever', () => {
  const stream = new EventStream();
  const piece = 'x'.repeat(2 ** 20);
  assert.throws(() => {
    for (let sent = 0; sent < 64; sent++) stream.add(piece);
  }, /too long/);
});

test('a large event in small pieces is read once, not again with each of them', () => {
  // Reading all that is pending with each piece would be 2^20 times 8 MB, which no deadline of a test allows.
  const data = JSON.stringify('x'.repeat(2 ** 24));
  const text = `event: whole\ndata: ${data}\n\n`;
  const stream = new EventStream();
  const read = [];
  for (let at = 0; at < text.length; at += 16) read.push(...stream.add(text.slice(at, at + 16)));
  assert.equal(read.length, 1);
  assert.ok(read[0]!.data === data);
});
