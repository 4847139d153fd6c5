/**
 * Reads what was kept of series into them: all that can be read now, and what cannot when it can.
 *
 * Invariants: a block is added once, wherever it is found and however often. A fine one is added to the coarse steps as well, unless a coarse one
 * holds it. So while a coarse file cannot be read, nobody knows which it holds, and fine blocks that no other holds wait to be added to coarse steps: until
 * then long charts lack them, and budgets, which are counted from fine steps as far as those reach, do not.
 * A file that cannot be read, and for an hour could not if that may pass, is put aside; of most of them it is not the files, and none is touched.
 *
 * It is done in turns while samples come. Cost: a step some 200 ns; a file is in memory while it is read.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../../kernel/clock.ts';
import { STEP, type Steps } from '../../kernel/steps.ts';
import type { AddedOf, Block, Damage, Taken } from './block.ts';
import { BlockReader } from './blocks.ts';
import { type Level, levels, pruneAside, putAside } from './folder.ts';
import { Pending } from './pending.ts';
import { resolutions } from './resolutions.ts';
import type { Restoring } from './restoring.ts';
import { type SequenceRange, Sequences } from './sequences.ts';
import type { Series } from './series.ts';

export interface ReadingOptions {
  readonly folder: string;
  /** Those that were there before this process wrote any. */
  readonly names: readonly string[];
  readonly series: Series;
  readonly clock: Clock;
  readonly bytesMax: number;
  /** When it was asked for first, by the clock that is never set. */
  readonly askedMs: number;
  readonly inTurns: (steps: Steps<void>) => Promise<void>;
  /** Something is to be known, in words. */
  readonly onNotice: (level: 'info' | 'warn', what: string) => void;
}

/** What this process is short of says nothing of a file. */
const shortages: readonly unknown[] = ['EMFILE', 'ENFILE', 'ENOMEM'];
/** No file that is read, and never will be; of all else (a right, a disk) somebody may take care. */
const lasting: readonly unknown[] = ['EISDIR', 'ELOOP', 'ENXIO', 'ERR_FS_FILE_TOO_LARGE'];
/** What nobody has taken care of by then, nobody does. */
const PASSING_MS = 3_600_000;
const [fine, coarse] = levels;

/** What a coarse block is to hold, and the fine ones that it is made of. */
export interface Beyond {
  readonly added: Taken;
  readonly holds: readonly SequenceRange[];
}

export class SeriesReading {
  readonly #options: ReadingOptions;
  #blocks = new BlockReader();
  /** Blocks that were read, of each level. */
  readonly #seen = levels.map(() => new Sequences());
  /** Fine ones that are in coarse steps. */
  readonly #held = new Sequences();
  readonly #unread = new Map<string, NodeJS.ErrnoException>();
  /** Fine files with blocks that may be in a coarse file which is unread. */
  #doubtful = new Set<string>();
  /** Of each fine file that has some: what no coarse block holds, and the fine ones that it is of. Nothing is let go of: they will be taken for held. */
  #beyond = new Map<string, { readonly pending: Pending; readonly sequences: Sequences }>();
  /** What is read next: at first everything, then what could not be. */
  #next: readonly string[];
  #damage = { files: 0, bytes: 0 };
  #told = '';

  constructor(options: ReadingOptions) {
    this.#options = options;
    this.#next = options.names;
  }

  /** Files that could not be read yet. */
  get unread(): number {
    return this.#unread.size;
  }

  /** Damaged files, and how much of them was not read. */
  get damage(): { readonly files: number; readonly bytes: number } {
    return this.#damage;
  }

  /** Nothing is to be read any more. */
  get isOver(): boolean {
    return this.#unread.size + this.#doubtful.size === 0;
  }

  /** Of each level, the greatest sequence of any block that was read, or is held by one. */
  get last(): readonly number[] {
    const [finest = 0, coarsest = 0] = this.#seen.map(({ last }) => last);
    return [Math.max(finest, this.#held.last), coarsest];
  }

  /** What is to be in coarse blocks beside what is counted, in one for each fine file, so that none is too large; it is the caller's then. */
  takeBeyond(): readonly Beyond[] {
    const all = [...this.#beyond.values()];
    this.#beyond = new Map();
    return all.map(({ pending, sequences }) => ({ added: pending.take(), holds: sequences.take() }));
  }

  /** Reads what can be read of what is not. */
  async read(): Promise<void> {
    const restoring = this.#options.series.restoring();
    let isWhole = false;
    try {
      await this.#readInto(restoring);
      isWhole = true;
    } finally {
      await this.#options.inTurns(restoring.end(isWhole));
    }
    this.#next = [...this.#unread.keys()].toSorted();
    // It has words of every file.
    if (this.isOver) this.#blocks = new BlockReader();
    this.#tell();
  }

  async #readInto(restoring: Restoring): Promise<void> {
    const names = this.#next;
    // The coarse ones first: they say which of the fine ones are in them.
    for (const name of namesOf(coarse, names)) {
      await this.#readFile(name, (block) => this.#addCoarse(block, restoring));
    }
    const isKnown = this.#isKnown;
    for (const name of namesOf(fine, names)) {
      await this.#readFile(name, (block) => this.#addFine(block, { name, restoring, isKnown }));
    }
    this.#putAside();
    if (this.#isKnown) await this.#settle(restoring);
  }

  /** Whether all coarse files have been read, but for those that never will be. */
  get #isKnown(): boolean {
    return namesOf(coarse, [...this.#unread.keys()]).length === 0;
  }

  async #readFile(name: string, add: (block: Block) => Steps<void>): Promise<void> {
    const bytes = await this.#bytesOf(name);
    if (bytes === null) return;
    await this.#options.inTurns(this.#each(bytes, add, (damage) => this.#tellDamage(name, damage, bytes.length)));
  }

  /** Null: it cannot be read now, or is not there any more. */
  async #bytesOf(name: string): Promise<Buffer | null> {
    try {
      const bytes = await readFile(join(this.#options.folder, name));
      this.#unread.delete(name);
      return bytes;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') this.#unread.delete(name);
      else this.#unread.set(name, error as NodeJS.ErrnoException);
      return null;
    }
  }

  *#each(bytes: Buffer, add: (block: Block) => Steps<void>, onDamage: (damage: Damage) => void): Steps<void> {
    const blocks = this.#blocks.read(bytes);
    for (let next = blocks.next(); ; next = blocks.next()) {
      if (next.done === true) return onDamage(next.value);
      yield* add(next.value);
      yield;
    }
  }

  *#addCoarse(block: Block, restoring: Restoring): Steps<void> {
    // Of what is held twice, as if a file was copied or given back its name, once is right; too little is better than too much.
    if (!block.isOld) {
      if (this.#isSeen(block, coarse) || block.holds.some(([from, to]) => this.#held.overlaps(from, to))) return;
    }
    for (const [from, to] of block.holds) this.#held.add(from, to);
    yield* added(block.added, (one) => void restoring.add(one.identity, coarse.at, one));
  }

  *#addFine(
    block: Block,
    { name, restoring, isKnown }: { readonly name: string; readonly restoring: Restoring; readonly isKnown: boolean },
  ): Steps<void> {
    if (this.#isSeen(block, fine)) return;
    yield* added(block.added, (one) => void restoring.add(one.identity, fine.at, one));
    if (isKnown) yield* this.#hold(block, name, restoring);
    else if (!this.#held.overlaps(block.sequence)) this.#doubtful.add(name);
  }

  /** Adds a fine one to coarse steps, and to a coarse block that is to be written, unless it is in another. */
  *#hold({ sequence, added: all }: Block, name: string, restoring: Restoring): Steps<void> {
    if (this.#held.overlaps(sequence)) return;
    this.#held.add(sequence);
    const { stepMs } = resolutions[coarse.at]!;
    let beyond = this.#beyond.get(name);
    if (beyond === undefined) {
      beyond = { pending: new Pending(stepMs, Number.POSITIVE_INFINITY), sequences: new Sequences() };
      this.#beyond.set(name, beyond);
    }
    beyond.sequences.add(sequence);
    const { pending } = beyond;
    yield* added(all, ({ identity, step, value }) => {
      const atMs = step * resolutions[fine.at]!.stepMs;
      const entry = restoring.add(identity, coarse.at, { step: Math.floor(atMs / stepMs), value });
      if (entry !== null) pending.add(entry, { atMs, step: value });
    });
  }

  /** What coarse files hold is known now: of the fine blocks that were in doubt, those that none of them holds are added. */
  async #settle(restoring: Restoring): Promise<void> {
    const names = this.#doubtful;
    this.#doubtful = new Set();
    for (const name of names) {
      const bytes = await readFile(join(this.#options.folder, name)).catch((error: NodeJS.ErrnoException) => {
        // One that has gone meanwhile does not come again.
        if (error.code !== 'ENOENT') this.#doubtful.add(name);
        return null;
      });
      if (bytes === null) continue;
      await this.#options.inTurns(this.#each(bytes, (block) => this.#hold(block, name, restoring), () => {})); // prettier-ignore
    }
  }

  #isSeen({ sequence }: Block, level: Level): boolean {
    const seen = this.#seen[levels.indexOf(level)]!;
    if (seen.overlaps(sequence)) return true;
    seen.add(sequence);
    return false;
  }

  #putAside(): void {
    const { bytesMax, clock, folder, names, onNotice } = this.#options;
    // Of most of them it is not the files: somebody else's, or a disk that has gone.
    if (this.#unread.size * 2 > names.length) return;
    const isLate = clock.nowMs() - this.#options.askedMs > PASSING_MS;
    const gone = [...this.#unread].filter(
      ([, { code }]) => lasting.includes(code) || (isLate && !shortages.includes(code)),
    );
    for (const [name, { message }] of gone) {
      const called = putAside(folder, name, clock.wallMs());
      if (called === null) continue;
      this.#unread.delete(name);
      const missing = 'what only it had is missing from series and budgets';
      onNotice('warn', `${join(folder, name)} cannot be read (${message}) and is called ${called} now; ${missing}.`);
    }
    if (gone.length === 0) return;
    pruneAside(folder, bytesMax);
    // It has been told what became of them.
    this.#told = [...this.#unread.keys()].join();
  }

  /** Once for what has changed. */
  #tell(): void {
    const { folder, names, onNotice } = this.#options;
    const [first] = this.#unread;
    const told = [...this.#unread.keys()].join();
    if (told === this.#told) return;
    this.#told = told;
    if (first === undefined) return onNotice('info', `What could not be read in ${folder} has been read.`);
    const many = `${this.#unread.size} of ${names.length} files in ${folder} cannot be read (${first[1].message})`;
    const missing =
      'what only they have is missing from series and budgets until they can, which is tried every ten seconds';
    onNotice('warn', `${many}; ${missing}.`);
  }

  #tellDamage(name: string, { places, bytes }: Damage, length: number): void {
    if (places === 0) return;
    const { folder, onNotice } = this.#options;
    this.#damage = { files: this.#damage.files + 1, bytes: this.#damage.bytes + bytes };
    const where = places === 1 ? 'a place' : `${places} places`;
    const missing = 'what only they held is missing from series and budgets, and all else was read';
    onNotice('warn', `${join(folder, name)} is damaged in ${where}, ${bytes} of ${length} bytes: ${missing}.`);
  }
}

function namesOf({ name }: { readonly name: string }, names: readonly string[]): string[] {
  return names.filter((each) => each.startsWith(`${name}-`));
}

/** In steps. */
function* added(all: readonly AddedOf[], add: (one: AddedOf) => void): Steps<void> {
  for (const [at, one] of all.entries()) {
    if (at % STEP === STEP - 1) yield;
    add(one);
  }
}
