/** What every store must say: the algorithms as they are in TypeScript, applied to numbers in a map, at a moment that is given. */
import { type Algorithm, type Ask, createOutcome, type Outcome } from '../../src/limit/algorithm.ts';
import { hasLeases, type Question, type RemotePart } from '../../src/limit/store.ts';

interface Row {
  readonly numbers: Float64Array;
  /** That changed the numbers last in this call of `decide`; null if none did. */
  changedBy: Algorithm | null;
}

type Change = (algorithm: Algorithm, numbers: Float64Array, ask: Ask, out: Outcome) => void;

export class ReferenceStore {
  readonly #kept = new Map<string, Float64Array>();
  readonly #forgets: boolean;
  #rows = new Map<string, Row>();
  #nowUs = 0;

  /** `forgets`: a key is as if it had never been used as soon as that is so by the limit that wrote it, whatever the limit is later. */
  constructor(forgets: boolean) {
    this.#forgets = forgets;
  }

  decide(questions: readonly Question[], nowUs: number): Outcome[][] {
    this.#nowUs = nowUs;
    this.#rows = new Map();
    const outcomes = questions.map((question) => this.#decide(question));
    for (const [identity, { numbers, changedBy }] of this.#rows) {
      if (changedBy === null) continue;
      if (this.#forgets && changedBy.idle(numbers, 0, nowUs)) this.#kept.delete(identity);
      else this.#kept.set(identity, numbers);
    }
    return outcomes;
  }

  #decide({ verb, parts }: Question): Outcome[] {
    const each = (change: Change): Outcome[] => parts.map((part) => this.#change(part, change));
    const look: Change = (algorithm, numbers, ask, out) => algorithm.peek(numbers, 0, ask, out);
    switch (verb) {
      case 'take': {
        const looks = parts.length > 1 ? each(look) : [];
        if (looks.some(({ granted }, index) => granted < parts[index]!.times)) return looks;
        return each((algorithm, numbers, ask, out) => algorithm.take(numbers, 0, ask, out));
      }
      case 'peek':
        return each(look);
      case 'reset':
        return each((_, numbers) => void numbers.fill(0));
      default:
        return each((algorithm, numbers, ask, out) => {
          if (!hasLeases(algorithm)) algorithm.refund(numbers, 0, ask);
          else if (verb !== 'refund') out.granted = algorithm[verb](numbers, 0, ask) ? 1 : 0;
        });
    }
  }

  #change({ name, algorithm, key, cost, times, holder }: RemotePart, change: Change): Outcome {
    const identity = JSON.stringify([name, algorithm.layout, key]);
    let row = this.#rows.get(identity);
    if (row === undefined) {
      const kept = this.#kept.get(identity);
      row = { numbers: kept?.slice() ?? new Float64Array(algorithm.width), changedBy: null };
      this.#rows.set(identity, row);
    }
    const before = row.numbers.join();
    const out = createOutcome();
    change(algorithm, row.numbers, { nowUs: this.#nowUs, cost, times, holder }, out);
    if (row.numbers.join() !== before) row.changedBy = algorithm;
    return out;
  }
}
