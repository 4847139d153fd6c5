/**
 * The ledger of error budgets: what spent them, what somebody said of it, and the planned work that counts for none. In memory, and
 * in a file if there is a place for one.
 *
 * Append-only: an entry is never changed; what is wrong is corrected or withdrawn by another, and both can be read. Bounded:
 * beyond `ENTRIES_MAX` the oldest that spent something go first, then the oldest of all. O(entries) a question; nothing here
 * is on the way of a request.
 */
import type { Clock } from '../../../kernel/clock.ts';
import type { Random } from '../../../kernel/random.ts';
import type { LedgerEntry, LedgerFact, Span } from './entry.ts';
import { LedgerFile } from './ledger-file.ts';

/** At most a thousand bursts spend one budget once: room for a bad quarter of several objectives. About 3 MB. */
const ENTRIES_MAX = 10_000;
/** So that the file is made anew once in a thousand entries, and not with each. */
const ROOM = 1000;

export interface LedgerOptions {
  readonly clock: Clock;
  /** For the names of entries. */
  readonly random: Random;
  /** Null: in memory only. */
  readonly path: string | null;
}

export class Ledger {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #file: LedgerFile | null;
  /** Why the file may not be made anew: there are lines in it that nobody can read. */
  readonly damaged: readonly string[];
  #entries: readonly LedgerEntry[];
  /** By objective, as long as there is no further entry: it is asked for each second. */
  readonly #excluded = new Map<string, readonly Span[]>();
  #last: Promise<unknown> = Promise.resolve();

  private constructor(
    { clock, random }: LedgerOptions,
    found: { file: LedgerFile | null; entries: readonly LedgerEntry[]; damaged: readonly string[] },
  ) {
    this.#clock = clock;
    this.#random = random;
    this.#file = found.file;
    this.#entries = found.entries;
    this.damaged = found.damaged;
  }

  /** Throws `LEDGER_FILE`. */
  static async open(options: LedgerOptions): Promise<Ledger> {
    const found = options.path === null ? null : await LedgerFile.open(options.path);
    return new Ledger(options, found ?? { file: null, entries: [], damaged: [] });
  }

  /** All, in the order they were written; those that were corrected too. */
  get entries(): readonly LedgerEntry[] {
    return this.#entries;
  }

  /** Resolves when it is kept; throws `LEDGER_FILE`, and then it is not in force. */
  add(fact: LedgerFact): Promise<LedgerEntry> {
    const added = this.#last.then(() => this.#add(fact));
    this.#last = added.catch(() => null);
    return added;
  }

  /** Those that hold, oldest first. */
  inForce(): readonly LedgerEntry[] {
    return entriesInForce(this.#entries);
  }

  /** Planned work that counts for no budget of this objective. */
  excluded(slo: string): readonly Span[] {
    const known = this.#excluded.get(slo) ?? excludedSpans(this.#entries, slo);
    this.#excluded.set(slo, known);
    return known;
  }

  async close(): Promise<void> {
    await this.#last;
    await this.#file?.close();
  }

  async #add(fact: LedgerFact): Promise<LedgerEntry> {
    const added: LedgerEntry = { id: this.#name(), atMs: this.#clock.wallMs(), ...fact };
    const next = [...this.#entries, added];
    const full = next.length > ENTRIES_MAX + ROOM;
    await this.#file?.append(added);
    this.#entries = full ? newest(next) : next;
    this.#excluded.clear();
    // What could not be made anew is only larger than it need be, and is tried again.
    if (full && this.damaged.length === 0) await this.#file?.replace(newest).catch(() => null);
    return added;
  }

  /** Ten of 32 signs, of which none looks like another. */
  #name(): string {
    const signs = '0123456789abcdefghjkmnpqrstvwxyz';
    return Array.from({ length: 10 }, () => signs[Math.floor(this.#random.unit() * signs.length)]).join('');
  }
}

function newest(entries: readonly LedgerEntry[]): readonly LedgerEntry[] {
  const told = entries.filter(({ kind }) => kind !== 'spent').slice(-ENTRIES_MAX);
  const left = ENTRIES_MAX - told.length;
  const spent = left > 0 ? entries.filter(({ kind }) => kind === 'spent').slice(-left) : [];
  const kept = new Set([...told, ...spent]);
  return entries.filter((entry) => kept.has(entry));
}

/** What corrects or withdraws another may be corrected itself, and then has no effect. */
export function entriesInForce(entries: readonly LedgerEntry[]): readonly LedgerEntry[] {
  const gone = new Set<string>();
  for (const entry of entries.toReversed()) {
    if (gone.has(entry.id)) continue;
    if (entry.kind === 'withdrawn') gone.add(entry.entry);
    else if ('corrects' in entry && entry.corrects !== null) gone.add(entry.corrects);
  }
  return entries.filter(({ id, kind }) => kind !== 'withdrawn' && !gone.has(id));
}

/** In the order of time, those that touch as one. */
export function excludedSpans(entries: readonly LedgerEntry[], slo: string): readonly Span[] {
  const spans = entriesInForce(entries)
    .flatMap((entry): Span[] => {
      if (entry.kind !== 'maintenance' || (entry.slo !== null && entry.slo !== slo)) return [];
      return [{ fromMs: entry.fromMs, toMs: entry.toMs }];
    })
    .toSorted((one, other) => one.fromMs - other.fromMs);
  const joined: Span[] = [];
  for (const span of spans) {
    const last = joined.at(-1);
    if (last === undefined || span.fromMs > last.toMs) joined.push(span);
    else joined[joined.length - 1] = { fromMs: last.fromMs, toMs: Math.max(last.toMs, span.toMs) };
  }
  return joined;
}
