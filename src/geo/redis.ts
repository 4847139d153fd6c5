/**
 * The store in Redis or Valkey: a geo set (`GEOADD`) that other programs may read and write as well, and a second for what is beyond its limit
 * of ±85.05112878°.
 *
 * - A question is one script and one round trip; the nearest, when there are too few within some 1,000 km, two to eight, and as many again when a
 *   filter leaves too few. Circles are searched by `GEOSEARCH`, boxes and polygons as ranges of scores.
 * - A position is kept in 52 bits: at most 0.35 m from where it is. Answers are exact for what is kept, by your measure and not by the
 *   server's sphere.
 * - The nearest are found in circles of twice the radius each. `GEOSEARCH … COUNT k` alone has to look at everything within the radius that it
 *   is given, and misses whoever is beyond.
 * - `GEOSEARCH` is asked only where it is complete (redis-frames.ts): not for circles that come near a pole. Those are searched by ranges.
 *
 * Cost: the 20 nearest of 100,000 in a town take some 130 µs of the server (`npm run bench -- geo`). In a cluster, one set is on one node.
 */
import { readFileSync } from 'node:fs';

import { type RedisClient, RedisDriver, RedisScript } from '../drivers/redis.ts';
import { abortable } from '../kernel/abort.ts';
import { checkKeys, invalid, shown } from '../kernel/options.ts';
import type { GeoStore, Placed } from './geo-index.ts';
import { haversine, type Measure } from './measure.ts';
import type { Box, Position } from './position.ts';
import { angleOfKth, reach } from './reach.ts';
import { type Frame, framesOf, KEPT_ANGLE, sent, turnBack } from './redis-frames.ts';
import { ANSWERS_MAX, type Backend, checkAnswersMax, type Search, ServerStore, tooMany } from './server-store.ts';
import {
  areaOfBox,
  areaOfCap,
  isPolar,
  REDIS_LAT_MAX,
  redisPosition,
  redisScore,
  type ScoreRange,
  scoreRanges,
} from './z-order.ts';

export { redisPosition, redisScore };

export interface RedisStoreOptions {
  /** The key of the geo set: 1 to 200 characters, of braces one pair at most. What is beyond ±85.05° is beside it, in `{key}:polar`. */
  readonly key: string;
  /** How distances are measured. @defaultValue haversine() */
  readonly measure?: Measure;
  /** A question that finds more fails with `ANSWER_TOO_LARGE`: 1 to 10,000,000. @defaultValue 100,000 */
  readonly answersMax?: number;
}

const KEY = /^[^{}]*(?:\{[^{}]+\}[^{}]*)?$/;
const KEY_LENGTH_MAX = 200;

const DEGREE = Math.PI / 180;
/** Of the server's own sphere. */
const REDIS_RADIUS_M = 6_372_797.560_856;
/** About 100 m; from there to where `GEOSEARCH` is not complete any more it is 16 times twice. */
const FIRST_ANGLE = 1.6e-5;
/** 6 cm: what the server prints of a distance, and what rounding does. */
const MARGIN = 1e-8;
/** Each is a seek in the set; with more of them, less beside the area is read. */
const RANGES_MAX = 32;
const COUNTED_RANGES_MAX = 8;
/** Some milliseconds of the server's time, in which it does nothing else. */
const SET_MAX = 1000;

/** Which of a script's keys. */
const SETS = { plain: '1', polar: '2' } as const;

const scriptNames = ['set', 'remove', 'read', 'count', 'nearest'] as const;
type ScriptName = (typeof scriptNames)[number];
let scripts: Readonly<Record<ScriptName, RedisScript>> | null = null;

function loadScripts(): Readonly<Record<ScriptName, RedisScript>> {
  const load = (name: ScriptName): [ScriptName, RedisScript] => [
    name,
    new RedisScript(readFileSync(new URL(`./redis/${name}.lua`, import.meta.url), 'utf8')),
  ];
  return Object.fromEntries(scriptNames.map(load)) as Record<ScriptName, RedisScript>;
}

/** As the server is told a distance. */
function metres(angle: number): string {
  return String(angle * REDIS_RADIUS_M);
}

/** The parts of a set that hold a circle. */
function rangesOf({ center }: Frame, angle: number, rangesMax: number): ScoreRange[] {
  return scoreRanges({ latMax: REDIS_LAT_MAX, cover: areaOfCap({ center, angle }), rangesMax });
}

class RedisBackend implements Backend {
  readonly #driver: RedisDriver;
  readonly #keys: readonly string[];
  readonly #answersMax: number;
  readonly #scripts: Readonly<Record<ScriptName, RedisScript>>;

  constructor(client: RedisClient, key: string, answersMax: number) {
    this.#driver = new RedisDriver(client);
    // In a cluster both are in one slot: that of what is in the braces.
    this.#keys = [key, key.includes('{') ? `${key}:polar` : `{${key}}:polar`];
    this.#answersMax = answersMax;
    this.#scripts = scripts ??= loadScripts();
  }

  async set(placed: readonly Placed<string>[], signal: AbortSignal): Promise<void> {
    for (let from = 0; from < placed.length; from += SET_MAX) {
      const args = placed.slice(from, from + SET_MAX).flatMap(({ id, lat, lon }) => {
        const to = sent({ lat, lon });
        return [isPolar(lat) ? SETS.polar : SETS.plain, String(to.lon), String(to.lat), id];
      });
      await this.#run('set', args, signal);
    }
  }

  async remove(id: string, signal: AbortSignal): Promise<boolean> {
    return Number(await this.#run('remove', [id], signal)) > 0;
  }

  around(center: Position, angle: number, signal: AbortSignal): Promise<Placed<string>[]> {
    const parts = framesOf(center).flatMap((frame) => {
      const { set, fromAngle, completeAngle } = frame;
      const wide = angle + MARGIN;
      if (wide < fromAngle) return [];
      if (wide <= completeAngle) {
        return ['circle', SETS[set], String(frame.center.lon), String(frame.center.lat), metres(wide)];
      }
      return rangesOf(frame, wide, RANGES_MAX).flatMap(({ first, last }) => [
        'range',
        SETS[set],
        String(first),
        String(last),
      ]);
    });
    return this.#read(parts, signal);
  }

  async nearest(search: Search, signal: AbortSignal): Promise<Placed<string>[]> {
    const { center, stretch } = search;
    const frames = framesOf(center);
    const k = Math.min(search.k, this.#answersMax + 1);
    const angleMax = search.angleMax + MARGIN;
    // Beyond, GEOSEARCH would miss something in one of the sets.
    const complete = Math.min(...frames.map(({ fromAngle, completeAngle }) => Math.max(fromAngle, completeAngle)));
    const most = Math.min(angleMax, complete / stretch - MARGIN);
    if (most >= FIRST_ANGLE) {
      const numbers = [this.#answersMax, k, metres(FIRST_ANGLE), metres(most), stretch, metres(MARGIN)];
      const sets = frames.flatMap(({ center: { lon, lat }, fromAngle }) => [lon, lat, metres(fromAngle)]);
      const answer = await this.#run('nearest', [...numbers, ...sets].map(String), signal);
      if (answer !== 0) return this.#placed(answer);
      if (most === angleMax) return this.around(center, angleMax, signal);
    }
    const angle = await reach({
      k,
      from: Math.max(FIRST_ANGLE, Math.min(most, angleMax)),
      most: angleMax,
      count: (angles) => this.#count(frames, angles, signal),
    });
    const some = await this.around(center, angle, signal);
    const needed = Math.min(angleMax, angleOfKth(center, k, some) * stretch);
    return needed <= angle ? some : this.around(center, needed, signal);
  }

  /** How many the covers of circles hold. */
  #count(frames: readonly Frame[], angles: readonly number[], signal: AbortSignal): Promise<readonly number[]> {
    return Promise.all(
      angles.map(async (angle) => {
        const args = frames.flatMap((frame) => {
          if (angle < frame.fromAngle) return [];
          return rangesOf(frame, angle, COUNTED_RANGES_MAX).flatMap(({ first, last }) => [
            SETS[frame.set],
            String(first),
            String(last),
          ]);
        });
        return Number(await this.#run('count', args, signal));
      }),
    );
  }

  inBox(box: Box, signal: AbortSignal): Promise<Placed<string>[]> {
    const ranges = scoreRanges({ latMax: REDIS_LAT_MAX, cover: areaOfBox(box), rangesMax: RANGES_MAX });
    const parts = ranges.flatMap(({ first, last }) => ['range', SETS.plain, String(first), String(last)]);
    const limit = REDIS_LAT_MAX - KEPT_ANGLE / DEGREE;
    // Of a cap, the part as far from the pole as the box reaches: on the turned globe a circle round the pole.
    const cap = (lon: string, edge: number): string[] => {
      const angle = Math.max(0, 90 - Math.max(limit, edge)) * DEGREE;
      return ['circle', SETS.polar, lon, '0', metres(angle + MARGIN)];
    };
    if (box.north >= limit) parts.push(...cap('0', box.south));
    if (box.south <= -limit) parts.push(...cap('-180', -box.north));
    return this.#read(parts, signal);
  }

  async #read(parts: readonly string[], signal: AbortSignal): Promise<Placed<string>[]> {
    return this.#placed(await this.#run('read', [String(this.#answersMax), ...parts], signal));
  }

  async #run(script: ScriptName, args: readonly string[], signal: AbortSignal): Promise<unknown> {
    signal.throwIfAborted();
    const answer = this.#driver.run({ script: this.#scripts[script], keys: this.#keys, args, waiting: { signal } });
    return abortable(answer, signal);
  }

  #placed(answer: unknown): Placed<string>[] {
    if (answer === null) throw tooMany(this.#answersMax);
    const [plain = [], polar = []] = answer as readonly (readonly (string | number)[])[];
    const placed: Placed<string>[] = [];
    for (let at = 0; at < plain.length; at += 2) {
      const { lat, lon } = redisPosition(Number(plain[at + 1]));
      placed.push({ id: String(plain[at]), lat, lon });
    }
    for (let at = 0; at < polar.length; at += 2) {
      const { lat, lon } = turnBack(redisPosition(Number(polar[at + 1])));
      placed.push({ id: String(polar[at]), lat, lon });
    }
    return placed;
  }
}

/**
 * Positions in Redis or Valkey, 7.0 or later, through your own client: of ioredis (`new Redis()`, `new Cluster()`) or node-redis (`createClient()`,
 * `createCluster()`). The program that made it also closes it, and listens to its `error` events.
 */
export function redisStore(client: RedisClient, options: RedisStoreOptions): GeoStore {
  checkKeys('redisStore', options, ['key', 'measure', 'answersMax']);
  const { key, measure = haversine(), answersMax = ANSWERS_MAX } = options;
  if (typeof key !== 'string' || key === '' || key.length > KEY_LENGTH_MAX || !KEY.test(key)) {
    const expected = `1 to ${KEY_LENGTH_MAX} characters, of braces one pair at most`;
    throw invalid(`redisStore: key is ${shown(key)}; expected ${expected}.`);
  }
  checkAnswersMax(answersMax);
  return new ServerStore(new RedisBackend(client, key, answersMax), measure);
}
