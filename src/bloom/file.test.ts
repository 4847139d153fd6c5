import assert from 'node:assert/strict';
import { once } from 'node:events';
import {
  chmodSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import * as fc from 'fast-check';
import { seededRandom } from '../kernel/random.ts';
import { createFilter, openFilter, type LayoutName, layouts, loadFilter, loadMemory } from './bloom-filter.ts';
import { createCuckooFilter, openCuckooFilter } from './cuckoo.ts';
import { openFilterFile } from './file-filter.ts';
import { saveFilter } from './file-image.ts';
import { HEADER_BYTES } from './image.ts';

const home = mkdtempSync(join(tmpdir(), 'spillway-bloom-'));
after(() => rmSync(home, { recursive: true }));

const keys = fc.array(fc.oneof(fc.string(), fc.uint8Array()), { maxLength: 50 });
const layout = fc.constantFrom(...(Object.keys(layouts) as LayoutName[]));

test('a filter is the same in memory, in bytes, in a file and in shared memory', async () => {
  await fc.assert(
    fc.asyncProperty(layout, fc.boolean(), keys, keys, async (layout, shared, added, others) => {
      const path = join(home, 'same.bloom');
      const filter = createFilter({ capacity: 100, layout, shared, seed: 'random' });
      filter.addMany(added);
      await saveFilter(filter, path);
      const loaded = await loadFilter(path, { shared: !shared });
      assert.equal(loaded.memory instanceof SharedArrayBuffer, !shared);
      for (const copy of [loaded, openFilter(filter.toBytes())]) {
        assert.deepEqual(copy.bits, filter.bits);
        assert.deepEqual(copy.hasMany(others), filter.hasMany(others));
        assert.deepEqual(copy.report(), filter.report());
      }
      assert.deepEqual(new Uint8Array(readFileSync(path)), filter.toBytes());
    }),
    { numRuns: 50 },
  );
  assert.deepEqual(readdirSync(home), ['same.bloom']);
});

test('a file is asked and added to without loading, with the answers that memory gives', async () => {
  const inOneBlock = layout.filter((name) => name !== 'classic');
  const steps = fc.array(fc.tuple(fc.constantFrom('add', 'has', 'addMany', 'hasMany'), keys), { maxLength: 10 });
  await fc.assert(
    fc.asyncProperty(inOneBlock, steps, async (layout, steps) => {
      const path = join(home, 'stored.bloom');
      const model = createFilter({ capacity: 200, layout });
      await saveFilter(model, path);
      {
        await using file = await openFilterFile(path, { add: true });
        await using reader = await openFilterFile(path);
        for (const [step, keys] of steps) {
          if (step === 'addMany') assert.equal(await file.addMany(keys), model.addMany(keys));
          else if (step === 'hasMany') assert.deepEqual(await reader.hasMany(keys), model.hasMany(keys));
          else if (step === 'add') for (const key of keys) assert.equal(await file.add(key), model.add(key));
          else for (const key of keys) assert.equal(await reader.has(key), model.has(key));
        }
        await file.sync();
      }
      assert.deepEqual((await loadFilter(path)).bits, model.bits);
    }),
    { numRuns: 40 },
  );
});

test('verify refuses a file with damage anywhere, and one whose checksums lag behind', async () => {
  const path = join(home, 'verified.bloom');
  const filter = createFilter({ capacity: 2_000_000 });
  filter.add('ada');
  await saveFilter(filter, path);
  {
    await using whole = await openFilterFile(path, { verify: true });
    assert.equal(await whole.has('ada'), true);
  }
  const bytes = readFileSync(path);
  for (const at of [HEADER_BYTES, HEADER_BYTES + 1_500_000, bytes.length - 1]) {
    const changed = Uint8Array.from(bytes);
    changed[at]! ^= 1;
    writeFileSync(path, changed);
    for (const add of [false, true]) {
      await assert.rejects(openFilterFile(path, { verify: true, add }), {
        code: 'FILTER_DAMAGED',
        message: /as written/,
      });
    }
  }
  writeFileSync(path, bytes);
  await using adder = await openFilterFile(path, { add: true, verify: true });
  await assert.rejects(openFilterFile(path, { verify: true }), { code: 'FILTER_BUSY' });
  assert.equal(await adder.add('grace'), true);
});

test('a file that somebody begins to add to while it is compared is busy, and not damaged', async (t) => {
  const path = join(home, 'begun.bloom');
  await saveFilter(createFilter({ capacity: 2_000_000 }), path);
  const handle = await open(path);
  const prototype = Object.getPrototypeOf(handle) as FileHandle;
  await handle.close();
  const read = Reflect.get(prototype, 'read') as (...args: unknown[]) => Promise<unknown>;
  for (const [name, compare] of Object.entries({
    verify: () => openFilterFile(path, { verify: true }),
    loadFilter: () => loadFilter(path),
  })) {
    await t.test(name, async (t) => {
      const mock = t.mock.method(prototype, 'read', async function (this: FileHandle, ...args: unknown[]) {
        if (args.at(3) === HEADER_BYTES) {
          mock.mock.restore();
          // Added to and closed again: nothing says any more that it was.
          await using adder = await openFilterFile(path, { add: true });
          await adder.addMany(Array.from({ length: 1000 }, (_, nth) => `${name}-${nth}`));
        }
        return read.apply(this, args);
      } as unknown as FileHandle['read']);
      await assert.rejects(compare(), { code: 'FILTER_BUSY', retryable: true });
      await using file = await openFilterFile(path, { verify: true });
      assert.equal(await file.has(`${name}-1`), true);
    });
  }
});

test('adds that are not waited for lose nothing to each other', async () => {
  const path = join(home, 'unwaited.bloom');
  const model = createFilter({ capacity: 2 });
  await saveFilter(model, path);
  const added = Array.from({ length: 40 }, (_, index) => `key-${index}`);
  await using file = await openFilterFile(path, { add: true });
  await Promise.all(added.map((key) => file.add(key)));
  model.addMany(added);
  await file.close();
  assert.deepEqual((await loadFilter(path)).bits, model.bits);
});

test('a cuckoo filter that is added to while it is written, and moves keys for that, loses none of those it had', async () => {
  const path = join(home, 'moving.bloom');
  const capacity = 2_000_000;
  const filter = createCuckooFilter({ capacity, falsePositiveRate: 0.03 });
  const random = seededRandom(1);
  const words = Uint32Array.from({ length: 2 * capacity }, () => random.int32());
  const before = words.subarray(0, 2 * 1_900_000);
  filter.addMany(before);
  const saved = saveFilter(filter, path);
  let writing = true;
  void saved.finally(() => (writing = false));
  for (let at = before.length; writing && at < words.length; at += 2000) {
    filter.addMany(words.subarray(at, at + 2000));
    await new Promise((resolve) => setImmediate(resolve));
  }
  await saved;
  const stored = openCuckooFilter(await loadMemory(path));
  const lost = stored.hasMany(before).reduce((sum, found) => sum + 1 - found, 0);
  assert.equal(lost, 0);
});

test('no byte of a file can change and none be missing without its being refused', async () => {
  const path = join(home, 'damaged.bloom');
  const filter = createFilter({ capacity: 40 });
  filter.addMany(['a', 'b', 'c']);
  const whole = filter.toBytes();
  const refused = { code: 'FILTER_DAMAGED', message: /not a whole filter/ };
  for (let at = 0; at < whole.length; at++) {
    for (const flip of [1 << (at % 8), 0xff]) {
      const bytes = whole.slice();
      bytes[at]! ^= flip;
      assert.throws(() => openFilter(bytes), refused, `byte ${at} ^ ${flip}`);
      writeFileSync(path, bytes);
      await assert.rejects(loadFilter(path), refused, `byte ${at} ^ ${flip}`);
    }
  }
  writeFileSync(path, whole);
  for (let size = whole.length - 1; size >= 0; size--) {
    truncateSync(path, size);
    await assert.rejects(loadFilter(path), refused, `${size} bytes`);
    await assert.rejects(openFilterFile(path), refused, `${size} bytes`);
    assert.throws(() => openFilter(whole.subarray(0, size)), refused, `${size} bytes`);
  }
  assert.throws(() => openFilter(Buffer.concat([whole, Buffer.alloc(1)])), refused);
});

test('damage in any chunk of a large file is found, and the message says where', async () => {
  const path = join(home, 'chunks.bloom');
  const filter = createFilter({ capacity: 2_000_000 });
  await saveFilter(filter, path);
  const bytes = readFileSync(path);
  for (const [at, from] of [
    [128 + 5, 128],
    [128 + 2 ** 20, 128 + 2 ** 20],
    [128 + filter.bits.length - 1, 128 + 2 * 2 ** 20],
  ] as const) {
    bytes[at]! ^= 4;
    writeFileSync(path, bytes);
    await assert.rejects(loadFilter(path), { code: 'FILTER_DAMAGED', message: new RegExp(`from byte ${from} `) });
    bytes[at]! ^= 4;
  }
});

test('damage that was there before somebody added is not sealed with what was added', async () => {
  const path = join(home, 'laundered.bloom');
  const filter = createFilter({ capacity: 2_000_000 });
  filter.add('old');
  await saveFilter(filter, path);
  const bytes = readFileSync(path);
  bytes.fill(0, 128, 128 + filter.bits.length);
  writeFileSync(path, bytes);
  const file = await openFilterFile(path, { add: true });
  const added = Array.from({ length: 100 }, (_, index) => `new ${index}`);
  await assert.rejects(file.addMany(added), { code: 'FILTER_DAMAGED', message: /from byte \d+ on/ });
  await file.close();
  await assert.rejects(loadFilter(path), { code: 'FILTER_DAMAGED' });
});

test('who adds to a file that was replaced or removed is told, and the new file is left alone', async () => {
  const path = join(home, 'replaced.bloom');
  const other = join(home, 'other.bloom');
  await saveFilter(createFilter({ capacity: 10 }), path);
  await saveFilter(createFilter({ capacity: 20 }), other);
  const told = { code: 'FILTER_FILE', message: /was replaced or removed/ };
  const file = await openFilterFile(path, { add: true });
  await file.add('a');
  await file.sync();
  renameSync(other, path);
  await assert.rejects(file.sync(), told);
  await assert.rejects(file.close(), told);
  assert.equal((await loadFilter(path)).capacity, 20);
  const removed = await openFilterFile(path, { add: true });
  rmSync(path);
  await assert.rejects(removed.close(), told);
  assert.ok(!readdirSync(home).some((name) => name.includes('.writer.')));
});

test('two names of one file are one claim, and a file that is replaced keeps its mode and its links', async () => {
  const path = join(home, 'named.bloom');
  const link = join(home, 'link.bloom');
  await saveFilter(createFilter({ capacity: 10 }), path);
  chmodSync(path, 0o600);
  symlinkSync(path, link);
  {
    await using _adder = await openFilterFile(path, { add: true });
    await assert.rejects(openFilterFile(link, { add: true }), { code: 'FILTER_BUSY' });
    await assert.rejects(saveFilter(createFilter({ capacity: 10 }), link), { code: 'FILTER_BUSY' });
  }
  await saveFilter(createFilter({ capacity: 20 }), link);
  assert.equal((await loadFilter(path)).capacity, 20);
  assert.ok(lstatSync(link).isSymbolicLink());
  assert.equal(lstatSync(path).mode & 0o777, 0o600);
  {
    await using adder = await openFilterFile(link, { add: true });
    await adder.add('a');
  }
  assert.ok((await loadFilter(path)).has('a'));
});

test('what cannot be done is refused with a code and the reason', async () => {
  const path = join(home, 'refused.bloom');
  await assert.rejects(loadFilter(path), { code: 'FILTER_FILE', message: /refused\.bloom” could not be read: ENOENT/ });
  await assert.rejects(openFilterFile(path, { add: true }), { code: 'FILTER_FILE' });
  await assert.rejects(saveFilter(createFilter({ capacity: 1 }), join(path, 'no folder')), { code: 'FILTER_FILE' });
  const socket = join(home, 'socket');
  await using server = createServer();
  await once(server.listen(socket), 'listening');
  await assert.rejects(saveFilter(createFilter({ capacity: 1 }), socket), { code: 'FILTER_FILE', message: /no file/ });
  assert.ok(lstatSync(socket).isSocket());
  await saveFilter(createFilter({ capacity: 10, layout: 'classic' }), path);
  await assert.rejects(openFilterFile(path), { code: 'OPTIONS_INVALID', message: /classic/ });
  await saveFilter(createFilter({ capacity: 10 }), path);
  await using adder = await openFilterFile(path, { add: true });
  await assert.rejects(openFilterFile(path, { add: true }), { code: 'FILTER_BUSY' });
  await assert.rejects(saveFilter(createFilter({ capacity: 10 }), path), { code: 'FILTER_BUSY' });
  await using reader = await openFilterFile(path);
  await assert.rejects(reader.add('a'), { code: 'OPTIONS_INVALID', message: /\{ add: true \}/ });
  await adder.close();
  await adder.close();
  await assert.rejects(adder.add('a'), { code: 'FILTER_FILE' });
  // A misspelt `add` would be found out by the first add, a misspelt `shared` never.
  await assert.rejects(openFilterFile(path, { ad: true } as object), { code: 'OPTIONS_INVALID', message: /mean add/ });
  await assert.rejects(loadFilter(path, { share: true } as object), {
    code: 'OPTIONS_INVALID',
    message: /mean shared/,
  });
  await assert.rejects(saveFilter(createFilter({ capacity: 10 }), path, { signals: null } as object), {
    code: 'OPTIONS_INVALID',
    message: /mean signal/,
  });
  await assert.rejects(saveFilter({} as ReturnType<typeof createFilter>, path), {
    code: 'OPTIONS_INVALID',
    message: /of type undefined/,
  });
  const ended = AbortSignal.abort();
  await assert.rejects(saveFilter(createFilter({ capacity: 10 }), path, { signal: ended }), { name: 'AbortError' });
  await assert.rejects(loadFilter(path, { signal: ended }), { name: 'AbortError' });
  await assert.rejects(openFilterFile(path, { signal: ended, add: true, verify: true }), { name: 'AbortError' });
  assert.ok(!readdirSync(home).some((name) => name.startsWith('refused.bloom.')));
});
