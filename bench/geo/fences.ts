/** 23,000 fences in a country, half circles and half polygons of 24 corners: checks of positions, and of moves with their events. */
import { createFences, type Position } from '../../src/geo/index.ts';
import type { Random } from '../../src/kernel/random.ts';
import { cpuSeconds, heading, row } from './timing.ts';

const FENCES = 23_000;
const THINGS = 10_000;
const CHECKS = 500_000;

function somewhere(random: Random): Position {
  return { lat: 47 + random.unit() * 7, lon: 6 + random.unit() * 9 };
}

export function benchFences(random: Random): void {
  heading(`fences: ${FENCES} of 100 m to 5 km in a country, half circles and half polygons of 24 corners`);
  const fences = createFences();
  const built = cpuSeconds();
  for (let id = 0; id < FENCES; id++) {
    const center = somewhere(random);
    const radiusM = 100 * 50 ** random.unit();
    if (id % 2 === 0) {
      fences.add(id, { center, radiusM });
      continue;
    }
    const ring = Array.from({ length: 24 }, (_, corner): Position => {
      const reach = ((0.5 + random.unit() / 2) * radiusM) / 111_195;
      const angle = (corner / 24) * 2 * Math.PI;
      const lon = center.lon + (reach * Math.cos(angle)) / Math.cos((center.lat * Math.PI) / 180);
      return { lat: center.lat + reach * Math.sin(angle), lon };
    });
    fences.add(id, { polygon: [ring] });
  }
  row('put up all', `${(cpuSeconds() - built).toFixed(2)} s`);
  const positions = Array.from({ length: THINGS }, () => somewhere(random));
  let inside = 0;
  let before = cpuSeconds();
  for (let at = 0; at < CHECKS; at++) inside += fences.at(positions[at % THINGS]!).length;
  row('checks of a position', `${(CHECKS / (cpuSeconds() - before) / 1000).toFixed(0)} k/s`);
  row('  in so many fences on average', (inside / CHECKS).toFixed(2));
  let events = 0;
  const moves = Array.from({ length: CHECKS }, (_, at): Position => {
    const { lat, lon } = positions[at % THINGS]!;
    positions[at % THINGS] = { lat: lat + (random.unit() - 0.5) * 1e-3, lon: lon + (random.unit() - 0.5) * 1e-3 };
    return positions[at % THINGS]!;
  });
  before = cpuSeconds();
  for (let at = 0; at < CHECKS; at++) {
    const { entered, left, crossed } = fences.move(at % THINGS, moves[at]!);
    events += entered.length + left.length + crossed.length;
  }
  row(`moves of ${THINGS} things, some 30 m each`, `${(CHECKS / (cpuSeconds() - before) / 1000).toFixed(0)} k/s`);
  row('  events a move', (events / CHECKS).toFixed(3));
}
