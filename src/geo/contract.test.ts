/** Every index in memory against brute force over the sphere: tens of thousands of questions of each kind. */
import { test } from 'node:test';
import geodesicLibrary from 'geographiclib-geodesic';
import { geoContract, type GeoSubject } from '../testing/geo-contract.ts';
import { geodesic } from './measure.ts';
import { createPoints } from './points.ts';

const measure = geodesic(geodesicLibrary.Geodesic.WGS84);

const subjects: readonly GeoSubject<number>[] = [
  { name: 'points', create: (positions) => createPoints(positions) },
  {
    name: 'points on the ellipsoid',
    create: (positions) => createPoints(positions, { measure }),
    measure,
    questions: 300,
  },
];

for (const subject of subjects) for (const { name, run } of geoContract(subject)) test(name, run);
