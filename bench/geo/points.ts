/** Points that do not change: building, memory, the nearest and a radius, beside kdbush with geokdbush on the same points. */
import * as geokdbush from 'geokdbush';
import KDBush from 'kdbush';
import { createPoints, type Position } from '../../src/geo/index.ts';
import type { Random } from '../../src/kernel/random.ts';
import { best, cpuSeconds, heading, micros, row } from './timing.ts';

const QUERIES = 2 ** 14;

interface Columns {
  readonly lats: Float64Array;
  readonly lons: Float64Array;
}

/** Positions spread evenly over the sphere. */
function everywhere(random: Random, count: number): Columns {
  const lats = Float64Array.from({ length: count }, () => (Math.asin(2 * random.unit() - 1) * 180) / Math.PI);
  return { lats, lons: Float64Array.from({ length: count }, () => random.unit() * 360 - 180) };
}

function build(count: number, columns: Columns) {
  const before = cpuSeconds();
  const ours = createPoints(columns);
  const built = cpuSeconds();
  const theirs = new KDBush(count);
  for (let at = 0; at < count; at++) theirs.add(columns.lons[at]!, columns.lats[at]!);
  theirs.finish();
  row(`build ${count} points`, `${(built - before).toFixed(2)} s`);
  row('  kdbush', `${(cpuSeconds() - built).toFixed(2)} s`);
  row('memory', `${(ours.memory.byteLength / 1e6).toFixed(1)} MB`);
  row('  kdbush', `${(theirs.data.byteLength / 1e6).toFixed(1)} MB`);
  return { ours, theirs };
}

export function benchPoints(random: Random, count: number): void {
  heading(`points: ${count} all over the Earth`);
  const { ours, theirs } = build(count, everywhere(random, count));
  const asked = everywhere(random, QUERIES);
  const centers = Array.from(asked.lats, (lat, at): Position => ({ lat, lon: asked.lons[at]! }));
  const into = { ids: new Uint32Array(20), distancesM: new Float64Array(20) };
  // A radius that has some 15 of them.
  const radiusM = Math.sqrt((15 * 4 * 6_371_008.8 ** 2) / count);
  const times = best(QUERIES, [
    (at) => ours.nearestInto(centers[at]!, into),
    (at) => ours.nearest(centers[at]!, 20),
    (at) => geokdbush.around(theirs, centers[at]!.lon, centers[at]!.lat, 20),
    (at) => ours.nearest(centers[at]!, 1),
    (at) => geokdbush.around(theirs, centers[at]!.lon, centers[at]!.lat, 1),
    (at) => ours.within(centers[at]!, radiusM),
    (at) => geokdbush.around(theirs, centers[at]!.lon, centers[at]!.lat, Number.POSITIVE_INFINITY, radiusM / 1000),
  ]);
  const names = [
    '20 nearest, into arrays',
    '20 nearest',
    '  geokdbush',
    'the nearest',
    '  geokdbush',
    `within ${(radiusM / 1000).toFixed(0)} km, some 15`,
    '  geokdbush',
  ];
  for (const [at, name] of names.entries()) row(name, micros(times[at]!));
}
