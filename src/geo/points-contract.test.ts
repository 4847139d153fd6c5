/** Points against brute force over the sphere: a hundred thousand questions. */
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
