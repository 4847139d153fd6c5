/** Asks any store, local or remote, in one way; and a model of a store that anybody can check. */
import type {
  Algorithm,
  Ask,
  Counters,
  LeaseAlgorithm,
  Outcome,
  Question,
  RateAlgorithm,
  Store,
} from '../limit/index.ts';

export type Verb = Question['verb'];

/** One key of one limiter, and what is asked of it. */
export interface AskedPart {
  readonly name: string;
  readonly algorithm: Algorithm;
  readonly key: string;
  readonly cost: number;
  readonly times: number;
  readonly holder: number;
}

/** Of `release` and `renew` only `granted` means something, 0 or 1, and of `refund` and `reset` nothing. */
export type Driver = (verb: Verb, ...parts: readonly AskedPart[]) => Promise<readonly Outcome[]>;

const nothing = (): Outcome => ({ granted: 0, remaining: 0, retryAfterUs: 0, resetAfterUs: 0 });

export function driverOf(store: Store): Driver {
  if (!store.local) {
    const { signal } = new AbortController();
    return async (verb, ...parts) => {
      const question: Question = { verb, parts: parts as readonly [AskedPart] };
      return (await store.ask([question], { signal }))[0]!;
    };
  }
  return async (verb, ...parts) => {
    const asked = parts.map(({ name, algorithm, key, cost, times, holder }) => ({
      counters: store.open(name, algorithm),
      key,
      ask: { nowUs: 0, cost, times, holder },
      out: nothing(),
    }));
    if (verb === 'take' && asked.length > 1) store.takeAll(asked);
    else for (const { counters, key, ask, out } of asked) one(counters, verb, key, ask, out);
    return asked.map(({ out }) => out);
  };
}

function one(counters: Counters, verb: Verb, key: string, ask: Ask, out: Outcome): void {
  switch (verb) {
    case 'take':
    case 'peek':
      counters[verb](key, ask, out);
      break;
    case 'release':
    case 'renew':
      out.granted = counters[verb](key, ask) ? 1 : 0;
      break;
    case 'refund':
      counters.refund(key, ask);
      break;
    case 'reset':
      counters.reset(key);
      break;
    default:
      verb satisfies never;
  }
}

/** The model: a map from name, layout and key to numbers, and the algorithm on them. */
export function modelDriver(nowUs: () => number): Driver {
  const rows = new Map<string, Float64Array>();
  const rowOf = ({ name, algorithm, key }: AskedPart): Float64Array => {
    const identity = JSON.stringify([name, algorithm.layout, key]);
    let row = rows.get(identity);
    if (row === undefined) rows.set(identity, (row = new Float64Array(algorithm.width)));
    return row;
  };
  const apply = (verb: Verb, part: AskedPart): Outcome => {
    const { algorithm, cost, times, holder } = part;
    const row = rowOf(part);
    const ask: Ask = { nowUs: nowUs(), cost, times, holder };
    const out = nothing();
    if (verb === 'take' || verb === 'peek') algorithm[verb](row, 0, ask, out);
    else if (verb === 'refund') (algorithm as RateAlgorithm).refund(row, 0, ask);
    else if (verb === 'reset') row.fill(0);
    else out.granted = (algorithm as LeaseAlgorithm)[verb](row, 0, ask) ? 1 : 0;
    return out;
  };
  return async (verb, ...parts) => {
    if (verb !== 'take' || parts.length === 1) return parts.map((part) => apply(verb, part));
    const seen = parts.map((part) => apply('peek', part));
    return seen.some(({ granted }) => granted === 0) ? seen : parts.map((part) => apply('take', part));
  };
}
