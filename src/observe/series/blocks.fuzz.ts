/** Files of series that are damaged anywhere and anyhow: what is outside of the damage comes back, and nothing that was not written. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import * as fc from 'fast-check';
import { atOnce } from '../../kernel/steps.ts';
import type { Added, Block, Damage } from './block.ts';
import { BlockReader, type BlockToWrite, writeBlock } from './blocks.ts';
import { createEntry, type Entry } from './entry.ts';
import type { AnyStep } from './kinds.ts';

const bounds = [Float64Array.of(0.1, 1, Number.POSITIVE_INFINITY), Float64Array.of(0.5, Number.POSITIVE_INFINITY)];
/** Names and labels hold what a mark is made of, as far as a text can. */
const entries: readonly Entry[] = ['counter', 'gauge', 'histogram'].flatMap((kind, at) =>
  ['plain', '\u{ff}SB\u{fe}', 'é, of more'].map((word) =>
    createEntry(
      {
        kind: kind as Entry['kind'],
        name: `${kind} ${word}`,
        labels: at === 0 ? {} : { of: word, and: 'SB' },
        detail: word === 'plain' ? 'full' : 'brief',
        bounds: kind === 'histogram' ? bounds[word === 'plain' ? 0 : 1]! : new Float64Array(0),
      },
      () => {},
    ),
  ),
);

const amount = fc.oneof(fc.nat(), fc.double({ min: 0, noNaN: true, noDefaultInfinity: true }));
const valueOf: Record<Entry['kind'], fc.Arbitrary<AnyStep>> = {
  counter: amount,
  gauge: fc.tuple(amount, amount).map(([last, max]) => ({ last, max })),
  histogram: fc.tuple(amount, amount).map(([count, sum]) => ({ buckets: [1], counts: [count], sum })),
};
const added = fc
  .constantFrom(...entries)
  .chain((entry) => fc.record({ entry: fc.constant(entry), step: fc.nat(2 ** 40), value: valueOf[entry.kind] }));
const blocks = fc
  .array(fc.record({ holds: fc.array(fc.tuple(fc.nat(), fc.nat()), { maxLength: 3 }), added: fc.array(added, { maxLength: 6 }) }), {
    minLength: 1,
    maxLength: 8,
  })
  .map((all) =>
    all.map((block, at) => ({
      sequence: at + 1,
      holds: block.holds.map(([from, length]) => [from, from + length] as const),
      added: new Set(block.added as Added[]),
    })),
  ); // prettier-ignore

/** What becomes of the bytes from `at` on. */
const damage = fc.record({
  at: fc.nat(),
  how: fc.constantFrom('flip', 'delete', 'insert', 'copy', 'zero'),
  length: fc.integer({ min: 1, max: 80 }),
  bytes: fc.uint8Array({ minLength: 80, maxLength: 80 }),
  from: fc.nat(),
});

const bytesOf = (block: BlockToWrite): Uint8Array => atOnce(writeBlock(block));

function read(bytes: Buffer): { readonly found: Block[]; readonly damage: Damage } {
  const [found, reading] = [new Array<Block>(), new BlockReader().read(bytes)];
  for (let next = reading.next(); ; next = reading.next()) {
    if (next.done === true) return { found, damage: next.value };
    found.push(next.value);
  }
}

function isSame(block: Block, written: BlockToWrite): boolean {
  return isDeepStrictEqual(
    block.added.map(({ identity: { kind, name, labels, detail, bounds: own }, step, value }) => ({ kind, name, labels, detail, bounds: own, step, value })),
    [...written.added].map(({ entry: { kind, name, labels, detail, bounds: own }, step, value }) => ({ kind, name, labels, detail, bounds: own, step, value })),
  ); // prettier-ignore
}

test('what was written is read, block by block', () => {
  fc.assert(
    fc.property(blocks, (written) => {
      const { found, damage: none } = read(Buffer.concat(written.map(bytesOf)));
      assert.deepEqual(none, { places: 0, bytes: 0, isTorn: false });
      assert.equal(found.length, written.length);
      for (const [at, block] of found.entries()) {
        assert.ok(isSame(block, written[at]!));
        assert.deepEqual([block.sequence, block.holds], [written[at]!.sequence, written[at]!.holds]);
      }
    }),
  );
});

test('bytes that are changed, missing, too much or copied cost the blocks that they are in, and are counted', () => {
  fc.assert(
    fc.property(blocks, fc.array(damage, { minLength: 1, maxLength: 4 }), (written, damages) => {
      const parts = written.map(bytesOf);
      // Each byte with the block it is of; what is put between two blocks damages none.
      let bytes = parts.flatMap((part, of) => Array.from(part, (byte, at) => ({ byte, of, at })));
      for (const { at: anywhere, how, length, bytes: other, from } of damages) {
        const at = anywhere % (bytes.length + 1);
        const foreign = Array.from(other.subarray(0, length), (byte) => ({ byte, of: -1, at: -1 }));
        if (how === 'flip') bytes = bytes.map((each, index) => (index >= at && index < at + length ? { ...each, byte: each.byte ^ (other[index - at]! | 1) } : each));
        if (how === 'zero') bytes = bytes.map((each, index) => (index >= at && index < at + length ? { ...each, byte: 0 } : each));
        if (how === 'delete') bytes = bytes.toSpliced(at, length);
        if (how === 'insert') bytes = bytes.toSpliced(at, 0, ...foreign);
        if (how === 'copy') bytes = bytes.toSpliced(at, 0, ...bytes.slice(from % (bytes.length + 1)).slice(0, length));
      }
      const { found, damage: told } = read(Buffer.from(bytes.map(({ byte }) => byte)));
      for (const block of found) assert.ok(isSame(block, written[block.sequence - 1]!), 'nothing that was not written');
      for (const [of, part] of parts.entries()) {
        const isThere = bytes.some((each, index) => each.of === of && each.at === 0 && part.every((byte, at) => bytes[index + at]?.byte === byte && bytes[index + at]!.at === at));
        if (isThere) assert.ok(found.some(({ sequence }) => sequence === of + 1), `block ${of} is whole and not read`);
      }
      const whole = found.reduce((sum, { sequence }) => sum + parts[sequence - 1]!.length, 0);
      assert.equal(told.bytes, bytes.length - whole);
      assert.equal(told.places > 0 || told.isTorn, told.bytes > 0);
    }),
    { numRuns: 400 },
  );
}); // prettier-ignore
