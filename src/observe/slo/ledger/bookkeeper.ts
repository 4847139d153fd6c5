/**
 * Keeps the ledger while objectives are watched: what was counted goes to the recorder of each, what that makes of it into the
 * ledger. Never waits and never throws: what could not be written is tried again with the next step, and bounded.
 */
import { errorBudget, sloId, type Slo } from '../objective.ts';
import type { LedgerFact } from './entry.ts';
import type { Ledger } from './ledger.ts';
import { type CountedStep, SpendRecorder } from './recorder.ts';

/** Of a disk that is full for a week, what is newest. */
const PENDING_MAX = 1000;

export class Bookkeeper {
  readonly #ledger: Ledger;
  readonly #onProblem: (problem: string | null) => void;
  readonly #recorders = new Map<string, { readonly recorder: SpendRecorder; budgetEvents: number }>();
  #pending: readonly LedgerFact[] = [];
  #writing: Promise<void> | null = null;
  #problem: string | null = null;

  /** `onProblem` is told when entries cannot be written, and with null when they are again. */
  constructor(ledger: Ledger, onProblem: (problem: string | null) => void) {
    this.#ledger = ledger;
    this.#onProblem = onProblem;
  }

  /** `budgetEvents`: how many may fail in the window of the objective, by its traffic now. */
  step(slo: Slo, step: CountedStep, budgetEvents: number): void {
    const id = sloId(slo);
    let known = this.#recorders.get(id);
    if (known === undefined) {
      known = { recorder: new SpendRecorder({ slo: id, errorBudget: errorBudget(slo) }), budgetEvents };
      this.#recorders.set(id, known);
    }
    known.budgetEvents = budgetEvents;
    this.#write(known.recorder.step(step, budgetEvents));
  }

  /** What is held of objectives that are not watched any more is written; null: of all. */
  retain(ids: ReadonlySet<string> | null): void {
    for (const [id, { recorder, budgetEvents }] of this.#recorders) {
      if (ids?.has(id) === true) continue;
      this.#recorders.delete(id);
      this.#write(recorder.end(budgetEvents));
    }
  }

  /** Resolves when all is written, or cannot be. */
  async close(): Promise<void> {
    this.retain(null);
    await this.#writing;
    // What could not be written before has this last chance.
    this.#write([]);
    await this.#writing;
  }

  #write(facts: readonly LedgerFact[]): void {
    this.#pending = [...this.#pending, ...facts].slice(-PENDING_MAX);
    if (this.#pending.length > 0) this.#writing ??= this.#writePending().finally(() => (this.#writing = null));
  }

  async #writePending(): Promise<void> {
    for (let fact = this.#pending[0]; fact !== undefined; fact = this.#pending[0]) {
      try {
        await this.#ledger.add(fact);
        // It may have been pushed out by newer ones meanwhile.
        this.#pending = this.#pending.filter((each) => each !== fact);
        this.#tell(null);
      } catch (error) {
        this.#tell(error instanceof Error ? error.message : String(error));
        return;
      }
    }
  }

  #tell(problem: string | null): void {
    if (problem === this.#problem) return;
    this.#problem = problem;
    this.#onProblem(problem);
  }
}
