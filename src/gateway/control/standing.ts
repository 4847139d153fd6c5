/**
 * Changes that no event tells, because they are seen only by looking: who leads, which breakers of services that push their metrics here are open, which
 * objectives burn, which stores of limits do not answer.
 * Looked at once a second, what stands now is told where it is not what stood before.
 *
 * Invariants: what stays as it was is told once; of a seat or breaker whose services tell nothing any more nothing is told, since nobody knows.
 * Cost: a few µs for what an ordinary gateway has, beside what it takes to find them among all series that are pushed; at most `SEATS_MAX` seats and
 * `BREAKERS_MAX` breakers, since whoever pushes metrics names them.
 */
import type { SloStatus } from '../../observe/slo/live/status.ts';
import type { NewChange } from './change-log.ts';
import type { StoreState } from './gateway-state.ts';
import type { BreakerRow, SeatRow } from './leaders.ts';
import { burnSentence } from './problems.ts';

const SEATS_MAX = 100;
const BREAKERS_MAX = 100;

export interface Standing {
  readonly seats: readonly SeatRow[];
  readonly breakers: readonly BreakerRow[];
  readonly slos: readonly SloStatus[];
  readonly stores: readonly StoreState[];
}

/** Something that stands, and what is said when it comes to be so, or no longer is. */
interface Fact {
  /** The same as before: nothing is new. */
  readonly is: string;
  /** Null: that it begins so says nothing, only that it came to be so. */
  readonly first: NewChange | null;
  readonly next: NewChange;
  readonly end: NewChange | null;
}

export class StandingChanges {
  #facts: ReadonlyMap<string, Fact> = new Map();

  /** What is new since the last look. */
  look({ breakers, seats, slos, stores }: Standing): NewChange[] {
    const before = this.#facts;
    const now = new Map([
      ...seats.slice(0, SEATS_MAX).map((seat) => [`seat ${seat.seat}`, seatFact(seat)] as const),
      ...breakersTold(breakers, before),
      ...slos.flatMap(burning),
      ...stores.flatMap((store) => (store.downFor === 0 ? [] : [[`store ${store.name}`, storeFact(store)] as const])),
    ]);
    this.#facts = now;
    const begun = [...now].map(([key, fact]) => {
      const was = before.get(key);
      if (was === undefined) return fact.first;
      return was.is === fact.is ? null : fact.next;
    });
    const ended = [...before].map(([key, fact]) => (now.has(key) ? null : fact.end));
    return [...ended, ...begun].filter((change) => change !== null);
  }
}

function seatFact({ holder, seat, term }: SeatRow): Fact {
  const next: NewChange =
    holder === null
      ? { kind: 'leader', tone: 'bad', what: `Nobody leads ${seat}.` }
      : { kind: 'leader', tone: 'plain', what: `${holder} leads ${seat}, in term ${term}.` };
  return { is: JSON.stringify([holder, term]), first: holder === null ? null : next, next, end: null };
}

function breakerFact({ breaker, instance, phase, service }: BreakerRow): readonly [string, Fact] {
  const tone = phase === 'closed' ? 'good' : phase === 'half-open' ? 'plain' : 'bad';
  const where = instance === '' ? '' : ` in ${instance}`;
  const next: NewChange = {
    kind: 'breaker',
    tone,
    what: `Breaker ${breaker} of ${service}${where} is ${phase}.`,
    service,
  };
  const key = `breaker ${JSON.stringify([service, instance, breaker])}`;
  return [key, { is: phase, first: phase === 'closed' ? null : next, next, end: null }];
}

/**
 * Those that are not closed or have closed since the last look, first those that were told already. WHY not the first hundred of all: each push
 * puts them in another order, and who comes and goes would be told again and again.
 */
function breakersTold(rows: readonly BreakerRow[], before: ReadonlyMap<string, Fact>): (readonly [string, Fact])[] {
  const rank = (key: string): number => (before.has(key) ? 0 : 1);
  return rows
    .map(breakerFact)
    .filter(([key, fact]) => fact.first !== null || (before.get(key)?.is ?? fact.is) !== fact.is)
    .toSorted(([one], [other]) => rank(one) - rank(other) || (one < other ? -1 : 1))
    .slice(0, BREAKERS_MAX);
}

/** Of one objective the most urgent alert. */
function burning(status: SloStatus): readonly (readonly [string, Fact])[] {
  const alert = status.alerts.find(({ state }) => state === 'firing');
  if (alert === undefined) return [];
  const { id } = status;
  const next: NewChange = { kind: 'slo', tone: 'bad', what: burnSentence(id, alert) };
  const end: NewChange = { kind: 'slo', tone: 'good', what: `No alert of ${id} fires any more.` };
  return [[`slo ${id}`, { is: `${alert.severity} ${alert.burn}`, first: next, next, end }]];
}

function storeFact({ name }: StoreState): Fact {
  const next: NewChange = { kind: 'store', tone: 'bad', what: `The store ${name} does not answer.` };
  const end: NewChange = { kind: 'store', tone: 'good', what: `The store ${name} answers again.` };
  return { is: '', first: next, next, end };
}
