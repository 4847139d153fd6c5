/** Things that move and things that come and go: moves, answers, answers between moves, memory. No package at hand does this on a sphere. */
import { createMoving, createPoints, createQuadtree, type Position } from '../../src/geo/index.ts';
import type { Random } from '../../src/kernel/random.ts';
import { cpuSeconds, heading, micros, row } from './timing.ts';

const THINGS = 1_000_000;
const MOVES = 2_000_000;
const BATCH = 1000;
const QUERIES = 10_000;
/** Degrees; some 10 m, what a car drives in a second. */
const STEP = 1e-4;

/** A million things in 200 towns, and moves of them in no order. */
function towns(random: Random) {
  const centers = Array.from({ length: 200 }, () => ({
    lat: random.unit() * 100 - 50,
    lon: random.unit() * 350 - 175,
    width: 0.05 + random.unit() * 0.3,
  }));
  const lats = new Float64Array(THINGS);
  const lons = new Float64Array(THINGS);
  for (let id = 0; id < THINGS; id++) {
    const { lat, lon, width } = centers[Math.floor(random.unit() ** 2 * 200)]!;
    lats[id] = lat + (random.unit() + random.unit() - 1) * width;
    lons[id] = lon + (random.unit() + random.unit() - 1) * width;
  }
  const ids = Uint32Array.from({ length: MOVES }, () => Math.floor(random.unit() * THINGS));
  const newLats = new Float64Array(MOVES);
  const newLons = new Float64Array(MOVES);
  for (const [at, id] of ids.entries()) {
    newLats[at] = lats[id]! += (random.unit() - 0.5) * STEP;
    newLons[at] = lons[id]! += (random.unit() - 0.5) * STEP;
  }
  return { lats, lons, ids, newLats, newLons };
}

function rate(count: number, work: () => void): string {
  const before = cpuSeconds();
  work();
  return `${(count / (cpuSeconds() - before) / 1e6).toFixed(2)} M/s`;
}

export function benchMoving(random: Random): void {
  heading(`moving: ${THINGS} things in 200 towns, moved in no order; shared memory`);
  const { lats, lons, ids, newLats, newLons } = towns(random);
  const all = Uint32Array.from({ length: THINGS }, (_, id) => id);
  const moving = createMoving({ capacity: THINGS, shared: true });
  const into = { ids: new Uint32Array(20), distancesM: new Float64Array(20) };
  const centers = Array.from({ length: QUERIES }, (): Position => {
    const id = Math.floor(random.unit() * THINGS);
    return { lat: lats[id]!, lon: lons[id]! };
  });
  let asked = 0;
  const ask = (): number => moving.nearestInto(centers[asked++ % QUERIES]!, into);
  const batches = (eachBatch: () => void) => (): void => {
    for (let at = 0; at < MOVES; at += BATCH) {
      moving.setMany(ids.subarray(at, at + BATCH), newLats.subarray(at, at + BATCH), newLons.subarray(at, at + BATCH));
      eachBatch();
    }
  };
  row(
    'put in, setMany',
    rate(THINGS, () => moving.setMany(all, lats, lons)),
  );
  row(
    'move, setMany',
    rate(
      MOVES,
      batches(() => {}),
    ),
  );
  row(
    'move, set',
    rate(MOVES, () => {
      for (let at = 0; at < MOVES; at++) moving.set(ids[at]!, { lat: newLats[at]!, lon: newLons[at]! });
    }),
  );
  row(`move, setMany; 20 nearest asked after each ${BATCH}`, rate(MOVES, batches(ask)));
  timed('20 nearest, into arrays', ask);
  timed('within 1 km', () => moving.within(centers[asked++ % QUERIES]!, 1000));
  const ocean = { lat: -65, lon: -130 };
  timed('20 nearest, from where there is nothing', () => moving.nearestInto(ocean, into), 20);
  timed('  with a maxDistanceM of 10 km', () => moving.nearestInto(ocean, into, { maxDistanceM: 10_000 }));
  row('memory', `${(moving.memory.byteLength / 1e6).toFixed(1)} MB`);

  heading('quadtree: the same things and moves');
  const quadtree = createQuadtree({ capacity: THINGS });
  row(
    'put in',
    rate(THINGS, () => {
      for (let id = 0; id < THINGS; id++) quadtree.set(id, { lat: lats[id]!, lon: lons[id]! });
    }),
  );
  row(
    'move',
    rate(MOVES, () => {
      for (let at = 0; at < MOVES; at++) quadtree.set(ids[at]!, { lat: newLats[at]!, lon: newLons[at]! });
    }),
  );
  timed('20 nearest, into arrays', () => quadtree.nearestInto(centers[asked++ % QUERIES]!, into));
  timed('within 1 km', () => quadtree.within(centers[asked++ % QUERIES]!, 1000));
  row('memory', `${(quadtree.bytes / 1e6).toFixed(1)} MB`);

  heading('points: the same things, standing still');
  const points = createPoints({ lats, lons });
  timed('20 nearest, into arrays', () => points.nearestInto(centers[asked++ % QUERIES]!, into));
  timed('within 1 km', () => points.within(centers[asked++ % QUERIES]!, 1000));
}

function timed(what: string, ask: () => unknown, times = QUERIES): void {
  for (let at = 0; at < times / 10; at++) ask();
  const before = cpuSeconds();
  for (let at = 0; at < times; at++) ask();
  row(what, micros(((cpuSeconds() - before) / times) * 1e9));
}
