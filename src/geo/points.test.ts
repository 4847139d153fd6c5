/** Points: memory, ids, sharing; what damaged memory and bad points are. That they answer rightly is in points-contract.test.ts. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import geodesicLibrary from 'geographiclib-geodesic';
import { seededRandom } from '../kernel/random.ts';
import { hardPosition, hardWorld } from '../testing/geo-world.ts';
import { geodesic } from './measure.ts';
import { createPoints, openPoints, type Points } from './points.ts';
import type { Position } from './position.ts';

const invalid = { code: 'OPTIONS_INVALID' };
const here = { lat: 48.2, lon: 16.37 };

/** A hundred answers of all kinds. */
function answers(points: Points): unknown {
  const random = seededRandom(5);
  return Array.from({ length: 100 }, () => [
    points.nearest(hardPosition(random), 9),
    points.within(hardPosition(random), 1e6),
  ]);
}

test('memory is 20 bytes a point, a plane for each leaf and a header', () => {
  for (const count of [0, 1, 16, 17, 1000, 100_000]) {
    const lats = new Float64Array(count);
    const { memory, size } = createPoints({ lats, lons: lats });
    const leaves = 2 ** Math.max(0, Math.ceil(Math.log2(count / 16)));
    assert.equal(size, count);
    assert.equal(memory.byteLength, 64 + 20 * count + 4 * (leaves - 1));
    assert.ok(memory.byteLength <= 64 + 20.5 * count);
  }
});

test('ten million points are below 240 MB by the same arithmetic', () => {
  const leaves = 2 ** Math.ceil(Math.log2(1e7 / 16));
  assert.ok(64 + 20 * 1e7 + 4 * leaves < 240e6);
});

test('ids may be any numbers of 32 bits, and need not differ', () => {
  const points = createPoints({ lats: [1, 2, 3], lons: [0, 0, 0], ids: [4_294_967_295, 7, 7] });
  assert.deepEqual(
    points.nearest({ lat: 0, lon: 0 }, 3).map(({ id }) => id),
    [4_294_967_295, 7, 7],
  );
});

test('the arrays of a caller are filled as far as there is something', () => {
  const points = createPoints(hardWorld(seededRandom(1), 5));
  const into = { ids: new Uint32Array(8).fill(99), distancesM: new Float64Array(8) };
  assert.equal(points.nearestInto(here, into), 5);
  const found = points.nearest(here, 8);
  assert.deepEqual([...into.ids], [...found.map(({ id }) => id), 99, 99, 99]);
  assert.deepEqual(
    [...into.distancesM.subarray(0, 5)],
    found.map(({ distanceM }) => distanceM),
  );
  assert.throws(() => points.nearestInto(here, { ids: new Uint32Array(0), distancesM: new Float64Array(1) }), invalid);
});

test('bad points are refused by their number', () => {
  assert.throws(() => createPoints([here, { lat: 91, lon: 0 }]), { ...invalid, message: /Point 1 has latitude 91/ });
  assert.throws(() => createPoints([{ lat: 0, lon: Number.NaN }]), {
    ...invalid,
    message: /Point 0 has longitude NaN/,
  });
  const misspelt: object = { share: true };
  assert.throws(() => createPoints([here], misspelt), { ...invalid, message: /no option “share”/ });
  assert.throws(() => openPoints(createPoints([here]).memory, misspelt), invalid);
  assert.throws(() => openPoints(null as never), invalid);
  for (const none of [null, { lat: '1', lon: 2 }] as unknown as Position[]) {
    assert.throws(() => createPoints([here, none]), { ...invalid, message: /^Point 1 / });
  }
  for (const none of [null, 7, {}, { lats: [1] }] as unknown as Position[][]) {
    assert.throws(() => createPoints(none), { ...invalid, message: /^The points are no list/ });
  }
  const texts = ['1'] as unknown as number[];
  assert.throws(() => createPoints({ lats: texts, lons: [0] }), { ...invalid, message: /Point 0 has latitude "1"/ });
  assert.throws(() => createPoints({ lats: [0], lons: [] }), { ...invalid, message: /1 lats and 0 lons/ });
  for (const id of [-1, 1.5, 2 ** 32, Number.NaN]) {
    assert.throws(() => createPoints({ lats: [0], lons: [0], ids: [id] }), { ...invalid, message: /Point 0 has id/ });
  }
});

test('another thread opens shared memory and finds the same', async () => {
  const points = createPoints(hardWorld(seededRandom(2), 5000), { shared: true });
  const code = `
    const { parentPort, workerData } = require('node:worker_threads');
    import(workerData.module).then(({ openPoints }) => {
      parentPort.postMessage(openPoints(workerData.memory).nearest(workerData.here, 20));
    });`;
  const module = import.meta.resolve('./points.ts');
  const worker = new Worker(code, { eval: true, workerData: { module, memory: points.memory, here } });
  const [found] = (await once(worker, 'message')) as [unknown];
  await worker.terminate();
  assert.deepEqual(found, points.nearest(here, 20));
});

test('what was saved is the same index when it is opened', () => {
  const points = createPoints(hardWorld(seededRandom(3), 3000));
  assert.deepEqual(answers(openPoints(points.memory.slice(0))), answers(points));
});

test('memory of version 1 is read for good', () => {
  // Two points, Vienna and Suva, as they were written when the format was made, on a machine of the usual byte order.
  const saved =
    'c2dkawEAAAACAAAAAAAAANGeVhAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAJqZmZmZGUhAH4XrUbheMECkcD0K1yMywK5H4XoUTmZAAAAAAAEAAAA=';
  const points = openPoints(Uint8Array.from(Buffer.from(saved, 'base64')).buffer);
  assert.deepEqual(points.inBox({ south: -90, west: -180, north: 90, east: 180 }), [
    { id: 0, lat: 48.2, lon: 16.37 },
    { id: 1, lat: -18.14, lon: 178.44 },
  ]);
});

test('no damaged memory is opened', () => {
  const { memory } = createPoints(hardWorld(seededRandom(4), 200));
  const whole = new Uint8Array(memory as ArrayBuffer);
  fc.assert(
    fc.property(fc.nat(whole.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
      const damaged = whole.slice();
      damaged[at]! ^= change;
      assert.throws(() => openPoints(damaged.buffer), invalid);
    }),
    { numRuns: 1000 },
  );
  fc.assert(
    fc.property(fc.nat(whole.length + 100), (length) => {
      fc.pre(length !== whole.length);
      const other = new Uint8Array(length);
      other.set(whole.subarray(0, length));
      assert.throws(() => openPoints(other.buffer), invalid);
    }),
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (noise) => {
      assert.throws(() => openPoints(noise.slice().buffer), invalid);
    }),
  );
});

test('a filter that asks its own index is refused, and neither that nor an error of its own spoils the next answer', () => {
  const index = createPoints(Array.from({ length: 100 }, (_, at) => ({ lat: at / 10, lon: at / 10 })));
  const center = { lat: 5, lon: 5 };
  const box = { south: 0, west: 0, north: 5, east: 5 };
  const nearest = index.nearest(center, 5);
  const asks = { filter: () => index.within(center, 1).length > 0 };
  assert.throws(() => index.nearest(center, 5, asks), { ...invalid, message: /A filter has asked the index/ });
  assert.deepEqual(index.nearest(center, 5), nearest);
  assert.throws(() => index.inBox(box, asks), invalid);
  const fails = {
    filter: () => {
      throw new RangeError('mine');
    },
  };
  assert.throws(() => index.nearest(center, 5, fails), /mine/);
  assert.throws(() => index.inBox(box, fails), /mine/);
  assert.equal(index.inBox(box).length, 51);
  assert.deepEqual(index.nearest(center, 5), nearest);
});

test('a pole has one place and many longitudes, also where distances are of the ellipsoid', () => {
  const lons = [-180, -77, 0, 1e-9, 90];
  const index = createPoints([...lons.map((lon) => ({ lat: -90, lon })), { lat: -89.999, lon: 0 }], {
    measure: geodesic(geodesicLibrary.Geodesic.WGS84),
  });
  const ids = index.within({ lat: -90, lon: 12 }, 0).map(({ id }) => id);
  assert.deepEqual(ids, [0, 1, 2, 3, 4]);
});
