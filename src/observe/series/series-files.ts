/**
 * Series on disk: a folder of files that are only appended to, so that a budget of 30 days outlives the process.
 *
 * Two kinds of file: `10s` has what each ten seconds added, for a day; `5m` what each five minutes did, for 35 days, and says which of the
 * fine blocks are in it. Whoever reads takes the coarse ones, and the fine ones that none of them holds. So what a killed process loses is what it had
 * not written yet, ten seconds at most, and what a damaged file loses is the blocks that are damaged (blocks.ts). Files are written in one go
 * by one process at a time (kernel/file-claim.ts), and begun anew by each. What cannot be read (reading.ts) is asked for again while all else is
 * read and what comes is kept.
 *
 * Reading and writing is done in turns of `TURN_MS`, while samples come; what came before there was a folder is kept as far as `Pending` goes back.
 *
 * Kept are series in full detail. A disk that is full or gone stops nothing: what could not be written waits, the oldest is let go of and
 * counted, and a new file is begun when there is room. Bounded: files that are older than they need be are removed when all have been read, and the
 * oldest beyond `bytesMax` always.
 */
import { mkdirSync } from 'node:fs';
import { type FileHandle, open, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock, Timer } from '../../kernel/clock.ts';
import { SpillwayError } from '../../kernel/errors.ts';
import { claimFile, dropClaim, type FileClaim } from '../../kernel/file-claim.ts';
import { inTurns, type Steps } from '../../kernel/steps.ts';
import type { Taken } from './block.ts';
import { writeBlock } from './blocks.ts';
import { begunMs, lastBegunMs, levels, nameOf, pruneSeries, seriesNames } from './folder.ts';
import { Pending } from './pending.ts';
import { type Beyond, SeriesReading } from './reading.ts';
import { resolutions } from './resolutions.ts';
import { type SequenceRange, Sequences } from './sequences.ts';
import type { Series } from './series.ts';

export interface SeriesFilesOptions {
  /** Made if it is not there. */
  readonly folder: string;
  readonly series: Series;
  readonly clock: Clock;
  /** All files together. @defaultValue 256 MB */
  readonly bytesMax?: number;
  /** Something is wrong with the disk, or is not any more; in words. */
  readonly onProblem: (problem: string | null) => void;
  /** What of the files could not be read, or can be again, and what was done with it; in words. */
  readonly onNotice: (level: 'info' | 'warn', what: string) => void;
}

/** What is missing of what was kept. */
export interface SeriesFilesState {
  readonly folder: string;
  /** Files that cannot be read now, and are asked for again. */
  readonly unread: number;
  readonly damagedFiles: number;
  /** Of those, what was not read. */
  readonly damagedBytes: number;
  /** Steps that the disk did not take in time. */
  readonly lost: number;
}

/** A time server that has not answered by then does not. */
const BEHIND_MS = 3_600_000;
/** Of a budget of 5 ms that nothing in this thread may exceed. */
const TURN_MS = 2;
const DAY_MS = 86_400_000;
const BYTES_MAX = 256 * 1024 * 1024;
/** More than a file has. */
const BLOCKS_MAX = 1000;
/** Files that could not be read. */
const AGAIN_MS = 10_000;

interface OpenFile {
  readonly handle: FileHandle;
  readonly path: string;
  blocks: number;
}

export class SeriesFiles {
  readonly #options: SeriesFilesOptions;
  readonly #pending = levels.map(({ at }) => new Pending(resolutions[at]!.stepMs));
  readonly #files: (OpenFile | null)[] = levels.map(() => null);
  readonly #timers: Timer[] = [];
  #claim: FileClaim | null = null;
  /** Of each level, that of the last block that was written. */
  #sequences: number[] = levels.map(() => 0);
  /** Fine blocks that are in no coarse one yet. */
  readonly #unheld = new Sequences();
  /** What was read and is in no coarse block yet, each to be one of its own: hours of it, if a coarse file was lost. */
  readonly #beyond: Beyond[] = [];
  #reading: SeriesReading | null = null;
  #again: Promise<void> | null = null;
  #count = 0;
  #turn: Promise<void> = Promise.resolve();
  #problem: string | null = null;
  #opening: Promise<void> = Promise.resolve();
  #isClosing = false;
  /** When it was opened first, by the clock that is never set. */
  #askedMs: number | null = null;

  constructor(options: SeriesFilesOptions) {
    this.#options = options;
    options.series.listen((entry, sample) => {
      if (entry.detail === 'full') for (const pending of this.#pending) pending.add(entry, sample);
    });
  }

  /**
   * Takes the folder, reads what is there into the series, and keeps what has come since this was made, and what comes. Throws coded errors if
   * another has the folder, or the clock is behind it; it may be asked again.
   */
  open(): Promise<void> {
    const opening = this.#open();
    this.#opening = opening.catch(() => {});
    return opening;
  }

  async #open(): Promise<void> {
    const { clock, folder } = this.#options;
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const claim = await claimFile(join(folder, 'series'), 'DATA_BUSY');
    try {
      const names = seriesNames(folder);
      this.#checkClock(names);
      this.#reading = this.#readingOf(names);
      await this.#read(this.#reading);
      // Above each time, so that none is of a file that cannot be read now, or was put aside and is put back: of those that are in one, less than 1,000
      // are above its own. And by as much above the last, should a clock have been ahead of the times in the names.
      const least = Math.max(Math.floor(clock.wallMs()), lastBegunMs(folder) + BLOCKS_MAX);
      this.#sequences = this.#reading.last.map((last) => Math.max(last + BLOCKS_MAX, least));
    } catch (error) {
      await dropClaim(claim);
      throw error;
    }
    this.#claim = claim;
    // At once: of what has waited, the fine steps do not go back so far as the coarse ones.
    void this.#flush(true);
    if (this.#isClosing) return;
    for (const [at, { everyMs }] of levels.entries()) {
      this.#timers.push(clock.every(everyMs, () => void this.#flush(at === 1)));
    }
    this.#timers.push(clock.every(AGAIN_MS, () => void this.readAgain()));
  }

  /** Reads what could not be read when it was opened, if it can now. It does so by itself every ten seconds. */
  readAgain(): Promise<void> {
    const reading = this.#reading;
    if (reading === null || reading.isOver || this.#isClosing) return Promise.resolve();
    this.#again ??= this.#read(reading)
      .catch((error: Error) => this.#options.onNotice('warn', `${this.#options.folder}: ${error.message}`))
      .finally(() => (this.#again = null));
    return this.#again;
  }

  get state(): SeriesFilesState {
    const { files = 0, bytes = 0 } = this.#reading?.damage ?? {};
    return {
      folder: this.#options.folder,
      unread: this.#reading?.unread ?? 0,
      damagedFiles: files,
      damagedBytes: bytes,
      lost: this.#pending.reduce((sum, { lost }) => sum + lost, 0),
    };
  }

  /** Writes what there is and gives the folder back; while it is opened, when it is. Idempotent. */
  async close(): Promise<void> {
    this.#isClosing = true;
    await this.#opening;
    for (const timer of this.#timers.splice(0)) timer.clear();
    await this.#again;
    this.#options.series.listen(null);
    await this.#flush(true);
    for (const at of levels.keys()) await this.#leave(at);
    if (this.#claim !== null) await dropClaim(this.#claim);
    this.#claim = null;
  }

  /** Read by a clock that is behind, as before the first answer of a time server, almost all of it would be from a time that has not come. */
  #checkClock(names: readonly string[]): void {
    const { clock, folder } = this.#options;
    // Less than a day does no harm: each resolution that is on disk takes what is late by that.
    const later = names.filter((name) => begunMs(name) > clock.wallMs() + DAY_MS);
    this.#askedMs ??= clock.nowMs();
    if (later.length * 2 <= names.length || clock.nowMs() - this.#askedMs > BEHIND_MS) return;
    const now = new Date(clock.wallMs()).toISOString();
    throw new SpillwayError(
      'CLOCK_BEHIND',
      `The clock says ${now}, and most of what is in ${folder} was begun more than a day later; it is read when the clock is right, or in an hour.`,
      { retryable: true },
    );
  }

  #readingOf(names: readonly string[]): SeriesReading {
    const { bytesMax = BYTES_MAX, clock, folder, onNotice, series } = this.#options;
    return new SeriesReading({
      ...{ bytesMax, clock, folder, names, onNotice, series },
      askedMs: this.#askedMs ?? clock.nowMs(),
      inTurns: (steps) => this.#inTurns(steps),
    });
  }

  /** Once it is to be closed, nobody waits for a turn. */
  #inTurns<Result>(steps: Steps<Result>): Promise<Result> {
    const { clock } = this.#options;
    return inTurns(steps, { clock, turnMs: TURN_MS, isAlone: () => this.#isClosing });
  }

  async #read(reading: SeriesReading): Promise<void> {
    await reading.read();
    this.#beyond.push(...reading.takeBeyond());
  }

  /** One write at a time; resolves when this one is over, well or not. */
  #flush(isCoarse: boolean): Promise<void> {
    this.#turn = this.#turn.then(() => this.#write(isCoarse));
    return this.#turn;
  }

  async #write(isCoarse: boolean): Promise<void> {
    if (this.#claim === null) return;
    await this.#writeCounted(isCoarse);
    if (isCoarse) await this.#writeBeyond();
  }

  async #writeCounted(isCoarse: boolean): Promise<void> {
    // Taken at one moment: what the coarse block holds is what fine ones hold up to the one that is written here.
    const finely = this.#pending[0]!.take();
    const coarsely = isCoarse ? this.#pending[1]!.take() : null;
    const holds = coarsely !== null && coarsely.size > 0 ? this.#unheld.take() : [];
    const isKept = await this.#append(0, finely, []);
    if (!isKept) await this.#inTurns(this.#pending[0]!.putBack(finely));
    const own = isKept && finely.size > 0 ? [this.#sequences[0]!] : [];
    const all = [...holds, ...own.map((sequence): SequenceRange => [sequence, sequence])];
    if (isKept && coarsely !== null && coarsely.size > 0 && (await this.#append(1, coarsely, all))) return;
    if (coarsely !== null) await this.#inTurns(this.#pending[1]!.putBack(coarsely));
    for (const [from, to] of all) this.#unheld.add(from, to);
  }

  /** What the disk does not take waits for the next time. */
  async #writeBeyond(): Promise<void> {
    for (let next = this.#beyond[0]; next !== undefined; next = this.#beyond[0]) {
      if (!(await this.#append(1, next.added, next.holds))) return;
      this.#beyond.shift();
    }
  }

  /** False if it could not be written. */
  async #append(at: number, added: Taken, holds: readonly SequenceRange[]): Promise<boolean> {
    if (added.size === 0) return true;
    try {
      const bytes = await this.#inTurns(writeBlock({ sequence: this.#sequences[at]! + 1, holds, added }));
      const file = await this.#fileOf(at);
      await file.handle.appendFile(bytes);
      this.#sequences[at]!++;
      file.blocks++;
      if (file.blocks >= levels[at]!.blocks) await this.#leave(at);
      this.#tell(null);
      return true;
    } catch (error) {
      const file = this.#files[at];
      await this.#leave(at);
      // One more each time would be thousands before there is room again.
      if (file?.blocks === 0) await unlink(file.path).catch(() => {});
      this.#tell(`what was counted cannot be kept in ${this.#options.folder}: ${(error as Error).message}`);
      return false;
    }
  }

  async #fileOf(at: number): Promise<OpenFile> {
    const known = this.#files[at];
    if (known !== null && known !== undefined) return known;
    const { bytesMax = BYTES_MAX, clock, folder } = this.#options;
    const level = levels[at]!;
    // One each time: a clock that leaps ahead does not remove them all. What is still to be read is not too old.
    const isRead = this.#reading?.isOver === true;
    pruneSeries(folder, level, { wallMs: isRead ? clock.wallMs() : 0, bytesMax });
    const path = join(folder, nameOf(level, clock.wallMs(), this.#count++));
    const file = { handle: await open(path, 'ax', 0o600), path, blocks: 0 };
    this.#files[at] = file;
    return file;
  }

  /** After an error too: what that has left of a block is at the end of its file, and nothing follows it there. */
  async #leave(at: number): Promise<void> {
    const file = this.#files[at] ?? null;
    this.#files[at] = null;
    await file?.handle.close().catch(() => {});
  }

  #tell(problem: string | null): void {
    if (problem === this.#problem) return;
    this.#problem = problem;
    this.#options.onProblem(problem);
  }
}
