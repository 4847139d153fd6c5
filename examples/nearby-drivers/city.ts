/**
 * Drivers in a city of straight streets: each follows one, turns at crossings, and says where it is every five seconds. All follows from a seed.
 *
 * Positions are rounded to the 52 bits that Redis keeps, some 0.3 m, so that every index has the same.
 */
import { type Position, redisPosition, redisScore } from 'spillway/geo';
import { seededRandom } from '../../src/kernel/random.ts';

export const CENTER: Position = { lat: 52.52, lon: 13.405 };
const STREET_M = 200;
/** From the centre to the edge. */
export const REACH_M = 15_000;
const TURN = 0.4;
const SECONDS = 5;

const METRES_A_DEGREE = 111_195;
const METRES_A_DEGREE_EAST = METRES_A_DEGREE * Math.cos((CENTER.lat * Math.PI) / 180);
const DEGREES_TURNED = 17;
const [COS, SIN] = [Math.cos((DEGREES_TURNED * Math.PI) / 180), Math.sin((DEGREES_TURNED * Math.PI) / 180)];

export class City {
  readonly lats: Float64Array;
  readonly lons: Float64Array;
  readonly #random = seededRandom(11);
  /** Along its street, which street, and how fast; metres, and metres a second with the sign of the direction. */
  readonly #along: Float64Array;
  readonly #street: Float64Array;
  readonly #speed: Float64Array;
  readonly #northward: Uint8Array;

  constructor(drivers: number) {
    this.lats = new Float64Array(drivers);
    this.lons = new Float64Array(drivers);
    this.#along = new Float64Array(drivers);
    this.#street = new Float64Array(drivers);
    this.#speed = new Float64Array(drivers);
    this.#northward = new Uint8Array(drivers);
    const places = [
      [0, 0, 3500],
      [-5200, -1500, 2200],
      [4600, 3800, 2600],
      [1500, -6200, 2000],
    ] as const;
    for (let id = 0; id < drivers; id++) {
      const [x, y, spread] = places[id % places.length]!;
      const northward = this.#random.unit() < 0.5;
      const along = this.#near(northward ? y : x, spread);
      this.#along[id] = along;
      this.#street[id] = Math.round(this.#near(northward ? x : y, spread) / STREET_M) * STREET_M;
      this.#speed[id] = (6 + 9 * this.#random.unit()) * (this.#random.unit() < 0.5 ? -1 : 1);
      this.#northward[id] = Number(northward);
      this.#place(id);
    }
  }

  /** Five seconds of one driver. */
  move(id: number): void {
    const from = this.#along[id]!;
    let to = from + this.#speed[id]! * SECONDS;
    const crossing = Math.round(to / STREET_M) * STREET_M;
    if ((from - crossing) * (to - crossing) <= 0 && this.#random.unit() < TURN) {
      // On along the other street; the drive after the turn is made up for by the next.
      to = this.#street[id]!;
      this.#street[id] = crossing;
      this.#northward[id] = 1 - this.#northward[id]!;
      if (this.#random.unit() < 0.5) this.#speed[id] = -this.#speed[id]!;
    }
    if (Math.abs(to) > REACH_M) this.#speed[id] = -this.#speed[id]!;
    this.#along[id] = Math.max(-REACH_M, Math.min(REACH_M, to));
    this.#place(id);
  }

  /** The sum of four is bell-shaped enough. */
  #near(middle: number, spread: number): number {
    let sum = -2;
    for (let draw = 0; draw < 4; draw++) sum += this.#random.unit();
    return Math.max(-REACH_M, Math.min(REACH_M, middle + sum * 1.7 * spread));
  }

  #place(id: number): void {
    const northward = this.#northward[id] === 1;
    const x = northward ? this.#street[id]! : this.#along[id]!;
    const y = northward ? this.#along[id]! : this.#street[id]!;
    const kept = redisPosition(
      redisScore({
        lat: CENTER.lat + (x * SIN + y * COS) / METRES_A_DEGREE,
        lon: CENTER.lon + (x * COS - y * SIN) / METRES_A_DEGREE_EAST,
      }),
    );
    this.lats[id] = kept.lat;
    this.lons[id] = kept.lon;
  }
}
