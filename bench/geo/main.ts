/**
 * Finding what is nearby: building, asking and memory, beside the packages that do the same, in the same run.
 *
 *     npm run bench -- geo            a million points
 *     npm run bench -- geo --large    ten million
 *
 * Times are of this process's own CPU, the best of several rounds that take turns.
 */
import { parseArgs } from 'node:util';
import { seededRandom } from '../../src/kernel/random.ts';
import { benchCells } from './cells.ts';
import { benchFences } from './fences.ts';
import { benchMoving } from './moving.ts';
import { benchPoints } from './points.ts';
import { benchRedis } from './redis.ts';

const { values } = parseArgs({ options: { large: { type: 'boolean', default: false } } });
const random = seededRandom(1);

benchPoints(random, values.large ? 1e7 : 1e6);
benchMoving(random);
benchFences(random);
benchCells(random);
await benchRedis(random);
