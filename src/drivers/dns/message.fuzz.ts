/** What is read is what was written, by another hand; and whatever else comes ends, in a coded error. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { writeMessage, type Rdata, type TestRecord } from '../../../test/dns-server.ts';
import { SpillwayError } from '../../kernel/errors.ts';
import { readAnswer, recordsFor, writeQuestion } from './message.ts';

const label = fc.stringMatching(/^[a-z0-9_]([a-z0-9-]{0,10}[a-z0-9])?$/);
const name = fc.array(label, { minLength: 1, maxLength: 4 }).map((labels) => labels.join('.'));
const uint16 = fc.integer({ min: 0, max: 0xffff });
const octets = (length: number) => fc.array(fc.integer({ min: 0, max: 255 }), { minLength: length, maxLength: length });
const rdata: fc.Arbitrary<Rdata> = fc.oneof(
  octets(4).map((address) => ({ type: 'A' as const, address })),
  octets(16).map((address) => ({ type: 'AAAA' as const, address })),
  name.map((target) => ({ type: 'CNAME' as const, target })),
  fc
    .record({ priority: uint16, weight: uint16, port: uint16, target: name })
    .map((given) => ({ type: 'SRV' as const, ...given })),
  fc
    .string({ maxLength: 20 })
    .map((text) => ({ type: 'TXT' as const, text: Buffer.from(text).toString('hex').slice(0, 40) })),
);
const record: fc.Arbitrary<TestRecord> = fc
  .tuple(name, rdata, fc.integer({ min: 0, max: 0xffff_ffff }))
  .map(([owner, data, ttlS]) => ({ ...data, name: owner, ttlS }));
const question = fc
  .tuple(name, fc.constantFrom('A' as const, 'AAAA' as const, 'SRV' as const))
  .map(([asked, type]) => ({ name: asked, type }));

/** The only way not to be read. */
function read(bytes: Uint8Array): ReturnType<typeof readAnswer> | null {
  try {
    return readAnswer(bytes);
  } catch (error) {
    assert.ok(error instanceof SpillwayError && error.code === 'DNS_FAILED', String(error));
    return null;
  }
}

test('every record of a type we know is read as it was written, compressed names included', () => {
  fc.assert(
    fc.property(uint16, question, fc.array(record, { maxLength: 30 }), (id, asked, records) => {
      const message = readAnswer(writeMessage(id, asked, { records }));
      assert.deepEqual([message.id, message.question, message.truncated, message.rcode], [id, asked, false, 0]);
      const expected = records.flatMap((each): object[] => {
        if (each.type === 'TXT') return [];
        const ttlS = each.ttlS! > 0x7fff_ffff ? 0 : each.ttlS!;
        if (!('address' in each)) return [{ ...each, ttlS }];
        const { address, ...rest } = each;
        return [{ ...rest, ttlS, address: textOf(address) }];
      });
      assert.deepEqual(message.answers, expected);
    }),
  );
});

/** By another way than the code: the URL parser writes IPv6 as RFC 5952 does. */
function textOf(address: readonly number[]): string {
  if (address.length === 4) return address.join('.');
  const groups = Array.from({ length: 8 }, (_, at) => (address[2 * at]! * 256 + address[2 * at + 1]!).toString(16));
  if (address.slice(0, 10).every((octet) => octet === 0) && address[10] === 255 && address[11] === 255) {
    return address.slice(12).join('.');
  }
  return new URL(`http://[${groups.join(':')}]`).hostname.slice(1, -1);
}

test('whatever comes, and however a good message is damaged or cut, is read or refused', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => void read(bytes)));
  const damage = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 4 });
  fc.assert(
    fc.property(question, fc.array(record, { maxLength: 10 }), damage, fc.nat(), (asked, records, changes, cut) => {
      const bytes = writeMessage(1, asked, { records });
      for (const [at, value] of changes) bytes[at % bytes.length] = value;
      read(bytes);
      assert.equal(
        read(writeMessage(1, asked, { records }).subarray(0, cut % writeMessage(1, asked, { records }).length)),
        null,
      );
    }),
  );
});

test('a name that points at itself, forward or in a circle is refused', () => {
  const head = [0, 1, 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0];
  for (const names of [
    [0xc0, 12],
    [0xc0, 14, 0xc0, 12],
    [1, 97, 0xc0, 12],
    [0xc0, 200],
    [0x80, 1],
  ]) {
    assert.equal(read(Uint8Array.from([...head, ...names, 0, 1, 0, 1])), null, names.join(' '));
  }
  // A long name out of many short pieces is still too long.
  const long = Array.from({ length: 70 }, () => [3, 97, 97, 97]).flat();
  assert.equal(read(Uint8Array.from([...head, ...long, 0, 0, 1, 0, 1])), null);
});

test('a question is what another reader expects, and what cannot be asked is refused', () => {
  assert.deepEqual(
    [...writeQuestion(0x1234, { name: 'a.bc', type: 'SRV' })],
    [0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 97, 2, 98, 99, 0, 0, 33, 0, 1],
  );
  for (const bad of ['', 'a..b', 'a'.repeat(64), Array.from({ length: 64 }, () => 'aaa').join('.')]) {
    assert.throws(() => writeQuestion(1, { name: bad, type: 'A' }), { code: 'DNS_FAILED' });
  }
});

test('aliases are followed to the end, for as long as all of it holds, and not in a circle', () => {
  const alias = (from: string, to: string, ttlS: number) => ({ name: from, type: 'CNAME' as const, target: to, ttlS });
  const address = { name: 'c', type: 'A' as const, address: '10.0.0.1', ttlS: 50 };
  const asked = { name: 'A', type: 'A' as const };
  const found = recordsFor(asked, [address, alias('b', 'c', 7), alias('a', 'b', 30)]);
  assert.deepEqual(found, { records: [address], ttlS: 7 });
  assert.deepEqual(recordsFor(asked, [address]).records, []);
  assert.deepEqual(recordsFor(asked, [alias('a', 'b', 1), alias('b', 'a', 1)]).records, []);
});

test('a label with a dot or a byte of its own is not mistaken for two, or for text', () => {
  const bytes = writeMessage(1, { name: 'x', type: 'A' }, {});
  const odd = Buffer.from([3, 0x61, 0x2e, 0xff, 0]);
  const message = readAnswer(Buffer.concat([bytes.subarray(0, 12), odd, bytes.subarray(15)]));
  assert.equal(message.question.name, 'a\\046\\255');
});
