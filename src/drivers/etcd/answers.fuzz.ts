/** Whatever a server sends: it is read, or it is garbled; lines are the same however they are cut; and where a prefix ends. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import * as answers from './answers.ts';
import { linesOf } from './lines.ts';
import { prefixEnd } from './messages.ts';
import { verdictOfText } from './verdict.ts';

const readers = Object.entries(answers)
  .filter(([name]) => name.startsWith('read'))
  .map(([, read]) => read as (answer: Readonly<Record<string, unknown>>) => unknown);

const names = [
  'header',
  'revision',
  'kvs',
  'kv',
  'events',
  'responses',
  'response_range',
  'ID',
  'TTL',
  'keys',
  'error',
  'code',
];
const json = fc.letrec((tie) => ({
  value: fc.oneof(
    { depthSize: 'small' },
    fc.constantFrom(null, true, '', '5', '-1', 'x', 5, 1.5, '99999999999999999999', '9'.repeat(30)),
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom(...names), tie('value'), { maxKeys: 5 }),
  ),
})).value;

test('an answer of any form is a verdict, and read or garbled, and nothing else', () => {
  fc.assert(
    fc.property(json, (value) => {
      const verdict = verdictOfText(JSON.stringify(value));
      if (verdict.kind !== 'done') return;
      for (const read of readers) {
        try {
          read(verdict.answer);
        } catch (error) {
          assert.ok(error instanceof answers.GarbledAnswer, String(error));
        }
      }
    }),
    { numRuns: 2000 },
  );
  assert.ok(readers.length >= 9);
});

test('a text of any kind is a verdict', () => {
  fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => void verdictOfText(text)));
});

test('lines are the same wherever the stream was cut, and what is too long is no line', async () => {
  const line = fc.stringMatching(/^[a-zäß]{1,12}$/);
  await fc.assert(
    fc.asyncProperty(
      fc.array(line, { maxLength: 20 }),
      fc.infiniteStream(fc.integer({ min: 1, max: 9 })),
      async (all, cuts) => {
        const bytes = Buffer.from(all.map((each) => `${each}\n`).join('') + 'cut off');
        async function* stream(): AsyncGenerator<Buffer> {
          for (let at = 0; at < bytes.length;) {
            const end = at + cuts.next().value!;
            yield bytes.subarray(at, end);
            at = end;
          }
        }
        const read: string[] = [];
        for await (const each of linesOf(stream(), 40)) read.push(each);
        assert.deepEqual(read, all);
        const short = async (): Promise<void> => {
          for await (const each of linesOf(stream(), 0)) assert.ok(each);
        };
        await assert.rejects(short(), answers.GarbledAnswer);
      },
    ),
    { numRuns: 100 },
  );
});

test('between a prefix and its end are the keys that begin so, and no others', () => {
  const bytes = fc
    .uint8Array({ minLength: 0, maxLength: 4, max: 255 })
    .map((each) => each.map((byte) => (byte > 250 ? 255 : byte)));
  fc.assert(
    fc.property(
      bytes.filter(({ length }) => length > 0),
      bytes,
      fc.boolean(),
      (prefix, rest, extend) => {
        const key = extend ? Buffer.concat([prefix, rest]) : Buffer.from(rest);
        const end = Buffer.from(prefixEnd(prefix));
        const within = Buffer.compare(key, prefix) >= 0 && (end.equals(Buffer.of(0)) || Buffer.compare(key, end) < 0);
        assert.equal(within, key.subarray(0, prefix.length).equals(prefix));
      },
    ),
    { numRuns: 2000 },
  );
});
