/** Frame boundaries (RFC 6455 §5.2), however a stream is cut: held against the list of frames it was made from. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { closeOfClient, closeOfServer, FrameCursor } from './web-socket-frames.ts';

interface Frame {
  readonly opcode: number;
  readonly fin: boolean;
  readonly length: number;
  /** More bytes for the length than it needs. */
  readonly wide: 0 | 2 | 8;
}

const frame: fc.Arbitrary<Frame> = fc.oneof(
  fc.record({
    opcode: fc.constantFrom(0, 1, 2),
    fin: fc.boolean(),
    length: fc.oneof(fc.nat(200), fc.constantFrom(0, 125, 126, 127, 65_535, 65_536, 70_000)),
    wide: fc.constantFrom<0 | 2 | 8>(0, 2, 8),
  }),
  fc.record({
    opcode: fc.constantFrom(8, 9, 10),
    fin: fc.constant(true),
    length: fc.nat(125),
    wide: fc.constant<0>(0),
  }),
);

function bytesOf({ opcode, fin, length, wide }: Frame, masked: boolean): Buffer {
  const least = length < 126 ? 0 : length < 65_536 ? 2 : 8;
  const extended = Math.max(least, wide);
  const head = [
    (fin ? 0x80 : 0) | opcode,
    (masked ? 0x80 : 0) | (extended === 0 ? length : extended === 2 ? 126 : 127),
  ];
  const rest = Buffer.alloc(extended + (masked ? 4 : 0) + length, 0x88);
  if (extended === 2) rest.writeUInt16BE(length);
  if (extended === 8) rest.writeBigUInt64BE(BigInt(length));
  return Buffer.concat([Buffer.from(head), rest]);
}

test('the boundaries found are the ends of frames, and no others, wherever the stream is cut', () => {
  fc.assert(
    fc.property(fc.array(frame, { maxLength: 12 }), fc.boolean(), fc.array(fc.nat()), (frames, masked, cuts) => {
      const all = Buffer.concat(frames.map((each) => bytesOf(each, masked)));
      const ends = new Set([0]);
      let end = 0;
      for (const each of frames) ends.add((end += bytesOf(each, masked).length));
      const cursor = new FrameCursor(masked);
      const places = [...new Set([...cuts.map((cut) => cut % (all.length + 1)), all.length])].sort((a, b) => a - b);
      let at = 0;
      for (const place of places) {
        while (at < place) {
          at = cursor.toBoundary(all, at, place);
          assert.equal(cursor.atBoundary, ends.has(at), `at ${at}`);
        }
        assert.equal(at, place);
      }
      assert.equal(
        cursor.closed,
        frames.some(({ opcode }) => opcode === 8),
      );
    }),
  );
});

test('bytes that are no frames make it lost for good, and nothing throws', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.boolean(), (bytes, masked) => {
      const cursor = new FrameCursor(masked);
      let wasLost = false;
      for (let at = 0; at < bytes.length; at += 1) {
        cursor.advance(bytes, at, at + 1);
        assert.ok(cursor.lost || !wasLost);
        assert.ok(!cursor.lost || !cursor.atBoundary);
        wasLost = cursor.lost;
      }
    }),
  );
});

for (const [what, bytes] of [
  ['a reserved opcode', [0x83, 0]],
  ['a mask from a server', [0x81, 0x80]],
  ['a long control frame', [0x88, 126]],
  ['a length with its first bit set', [0x81, 127, 0x80, 0, 0, 0, 0, 0, 0, 0]],
] as const) {
  test(`RFC 6455 §5.2: ${what} is no frame of a server`, () => {
    const cursor = new FrameCursor(false);
    cursor.advance(Uint8Array.from(bytes), 0, bytes.length);
    assert.ok(cursor.lost);
  });
}

test('RFC 6455 §7.4.1: the Close frames are whole, of their side, and say 1001', () => {
  const server = new FrameCursor(false);
  server.advance(closeOfServer, 0, closeOfServer.length);
  assert.ok(server.closed && server.atBoundary);
  assert.equal(Buffer.from(closeOfServer).readUInt16BE(2), 1001);
  fc.assert(
    fc.property(fc.integer(), (mask) => {
      const frame = closeOfClient(mask | 0);
      const client = new FrameCursor(true);
      client.advance(frame, 0, frame.length);
      assert.ok(client.closed && client.atBoundary);
      assert.equal(((frame[6]! ^ frame[2]!) << 8) | (frame[7]! ^ frame[3]!), 1001);
    }),
  );
});
