/**
 * Series on disk: a folder of files that are only appended to, so that a budget of 30 days outlives the process.
 *
 * Two kinds of file: `10s` has what each ten seconds added, for a day; `5m` what each five minutes did, for 35 days, and says how far the
 * fine ones are in it. Whoever reads takes the coarse ones, and what the fine ones have beyond. So what a killed process loses is what it had
 * not written yet, ten seconds at most, and what a damaged file loses is what follows the damage in it. Files are written in one go
 * by one process at a time (kernel/file-claim.ts), and begun anew by each. One that cannot be read, and for an hour could not if that may pass, is put
 * aside under another name, for ever: what others know of the same time is written once more, and would count twice beside it.
 *
 * Reading is done in turns of `TURN_MS`, while samples come; what came before there was a folder is kept as far as `Pending` goes back.
 *
 * Kept are series in full detail. A disk that is full or gone stops nothing: what could not be written waits, the oldest is let go of and
 * counted, and a new file is begun when there is room. Bounded: files that are older than they need be are removed, and the oldest beyond `bytesMax`.
 */
import { existsSync, lstatSync, mkdirSync, readdirSync, renameSync, statSync, unlinkSync } from 'node:fs';
import { type FileHandle, open, readFile, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock, Timer } from '../../kernel/clock.ts';
import { SpillwayError } from '../../kernel/errors.ts';
import { claimFile, dropClaim, type FileClaim } from '../../kernel/file-claim.ts';
import { inTurns, STEP, type Steps } from '../../kernel/steps.ts';
import { type Added, FrameWriter, readFrames } from './frames.ts';
import { Pending } from './pending.ts';
import { resolutions } from './resolutions.ts';
import type { Restoring } from './restoring.ts';
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
  /** A file could not be read, and what was done with it; in words. */
  readonly onAside: (what: string) => void;
}

/** Of one resolution: each so often a frame, each so many frames a file, and how long files are kept. */
const levels = [
  { name: '10s', at: 1, everyMs: 10_000, frames: 360, keptMs: 86_400_000 + 7_200_000 },
  { name: '5m', at: 2, everyMs: 300_000, frames: 288, keptMs: 37 * 86_400_000 },
] as const;
type Level = (typeof levels)[number];

/** A time server that has not answered by then does not. */
const BEHIND_MS = 3_600_000;
/** Of a budget of 5 ms that nothing in this thread may exceed. */
const TURN_MS = 2;
const DAY_MS = 86_400_000;
const BYTES_MAX = 256 * 1024 * 1024;
/** What this process is short of says nothing of a file. */
const shortages: readonly unknown[] = ['EMFILE', 'ENFILE', 'ENOMEM'];
/** No file that is read, and never will be; of all else (a right, a disk) somebody may take care. */
const lasting: readonly unknown[] = ['EISDIR', 'ELOOP', 'ENXIO', 'ERR_FS_FILE_TOO_LARGE'];
/** What nobody has taken care of by then, nobody does. */
const PASSING_MS = 3_600_000;
/** Of files that were put aside, the newest: for whoever wants to know what was in them, and no more than a disk can bear. */
const ASIDE = { filesMax: 16, share: 1 / 4 };
const aside = /^(?:10s|5m)-(\d{13})-\d{6}\.series\.unread(?:-\d+)?$/;
const named = /^(10s|5m)-(\d{13})-(\d{6})\.series$/;

interface Unread {
  readonly name: string;
  readonly error: NodeJS.ErrnoException;
}

interface OpenFile {
  readonly handle: FileHandle;
  readonly path: string;
  readonly writer: FrameWriter;
  frames: number;
}

export class SeriesFiles {
  readonly #options: SeriesFilesOptions;
  readonly #pending = levels.map(({ at }) => new Pending(resolutions[at]!.stepMs));
  readonly #files: (OpenFile | null)[] = levels.map(() => null);
  readonly #timers: Timer[] = [];
  #claim: FileClaim | null = null;
  /** Of the last fine frame that was written. */
  #sequence = 0;
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
      const names = this.#names();
      this.#checkClock(names);
      await this.#load(names);
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
  }

  /** Steps that the disk did not take. */
  get lost(): number {
    return this.#pending.reduce((sum, { lost }) => sum + lost, 0);
  }

  /** Writes what there is and gives the folder back; while it is opened, when it is. Idempotent. */
  async close(): Promise<void> {
    this.#isClosing = true;
    await this.#opening;
    for (const timer of this.#timers.splice(0)) timer.clear();
    this.#options.series.listen(null);
    await this.#flush(true);
    for (const at of levels.keys()) await this.#leave(at);
    if (this.#claim !== null) await dropClaim(this.#claim);
    this.#claim = null;
  }

  #names(): readonly string[] {
    return readdirSync(this.#options.folder)
      .filter((name) => named.test(name))
      .toSorted();
  }

  /** Read by a clock that is behind, as before the first answer of a time server, almost all of it would be from a time that has not come. */
  #checkClock(names: readonly string[]): void {
    const { clock, folder } = this.#options;
    // Less than a day does no harm: each resolution that is on disk takes what is late by that.
    const later = names.filter((name) => Number(named.exec(name)![2]) > clock.wallMs() + DAY_MS);
    this.#askedMs ??= clock.nowMs();
    if (later.length * 2 <= names.length || clock.nowMs() - this.#askedMs > BEHIND_MS) return;
    const now = new Date(clock.wallMs()).toISOString();
    throw new SpillwayError(
      'CLOCK_BEHIND',
      `The clock says ${now}, and most of what is in ${folder} was begun more than a day later; it is read when the clock is right, or in an hour.`,
      { retryable: true },
    );
  }

  async #load(names: readonly string[]): Promise<void> {
    const { folder, series } = this.#options;
    const restoring = series.restoring();
    // The next coarse frame says that it holds these too.
    const beyond = new Pending(resolutions[levels[1].at]!.stepMs);
    const unread: Unread[] = [];
    let held = 0;
    let isWhole = false;
    this.#sequence = 0;
    try {
      // The coarse ones first: they say which of the fine ones are in them.
      for (const level of levels.toReversed()) {
        for (const name of names.filter((each) => each.startsWith(`${level.name}-`))) {
          const bytes = await readFile(join(folder, name)).catch((error: NodeJS.ErrnoException) => {
            if (this.#mayPass(error)) throw error;
            unread.push({ name, error });
            return null;
          });
          if (bytes !== null) await this.#inTurns(this.#read(bytes, restoring, { level, held, beyond }));
        }
        held = this.#sequence;
      }
      // Of most of them it is not the files: somebody else's, or a disk that has gone.
      if (unread.length * 2 > names.length) throw unread[0]!.error;
      for (const each of unread) this.#putAside(each);
      if (unread.length > 0) this.#pruneAside();
      isWhole = true;
    } finally {
      await this.#inTurns(restoring.end(isWhole));
    }
    this.#pending[1]!.putBack(beyond.take());
  }

  #mayPass({ code }: NodeJS.ErrnoException): boolean {
    if (shortages.includes(code)) return true;
    const { clock } = this.#options;
    return !lasting.includes(code) && clock.nowMs() - (this.#askedMs ?? clock.nowMs()) <= PASSING_MS;
  }

  /** Under names that nobody reads, and nothing has yet. */
  #putAside({ name, error }: Unread): void {
    const { folder, onAside } = this.#options;
    let called = `${name}.unread`;
    for (let number = 2; existsSync(join(folder, called)); number++) called = `${name}.unread-${number}`;
    renameSync(join(folder, name), join(folder, called));
    const missing = 'what only it had is missing from series and budgets';
    onAside(`${join(folder, name)} cannot be read (${error.message}) and is called ${called} now; ${missing}.`);
  }

  #pruneAside(): void {
    const { bytesMax = BYTES_MAX, folder } = this.#options;
    const ageOf = (name: string): number => Number(aside.exec(name)![1]);
    const newest = readdirSync(folder)
      .filter((name) => aside.test(name))
      .toSorted((one, other) => ageOf(other) - ageOf(one));
    let bytes = 0;
    for (const [at, name] of newest.entries()) {
      // Not what a link leads to: that may be nowhere.
      const stats = lstatSync(join(folder, name));
      bytes += stats.size;
      // Where a folder or a link stands, somebody has put it there. The newest may be larger than all that may stay.
      const isTooMuch = at >= ASIDE.filesMax || (at > 0 && bytes > bytesMax * ASIDE.share);
      if (stats.isFile() && isTooMuch) unlinkSync(join(folder, name));
    }
  }

  *#read(
    bytes: Uint8Array,
    restoring: Restoring,
    { level, held, beyond }: { readonly level: Level; readonly held: number; readonly beyond: Pending },
  ): Steps<void> {
    const coarser = levels.find(({ at }) => at === level.at + 1);
    let count = 0;
    for (const { sequence, added } of readFrames(bytes)) {
      this.#sequence = Math.max(this.#sequence, sequence);
      for (const { identity, step, value } of added) {
        if (++count % STEP === 0) yield;
        const entry = restoring.add(identity, level.at, { step, value });
        if (entry === null || coarser === undefined || sequence <= held) continue;
        const atMs = step * resolutions[level.at]!.stepMs;
        restoring.add(identity, coarser.at, { step: Math.floor(atMs / resolutions[coarser.at]!.stepMs), value });
        beyond.add(entry, { atMs, step: value });
      }
    }
  }

  /** Once it is to be closed, nobody waits for a turn. */
  #inTurns(steps: Steps<void>): Promise<void> {
    return inTurns(steps, { clock: this.#options.clock, turnMs: TURN_MS, isAlone: () => this.#isClosing });
  }

  /** One write at a time; resolves when this one is over, well or not. */
  #flush(isCoarse: boolean): Promise<void> {
    this.#turn = this.#turn.then(() => this.#write(isCoarse));
    return this.#turn;
  }

  async #write(isCoarse: boolean): Promise<void> {
    if (this.#claim === null) return;
    // Taken at one moment: what the coarse frame holds is what fine ones hold up to the one that is written here.
    const [fine, coarse] = [this.#pending[0]!.take(), isCoarse ? this.#pending[1]!.take() : []];
    const isKept = await this.#append(0, this.#sequence + 1, fine);
    if (isKept && fine.length > 0) this.#sequence++;
    if (isKept) await this.#append(1, this.#sequence, coarse);
    else this.#pending[1]!.putBack(coarse);
  }

  /** False if it could not be written; then it waits for the next time. */
  async #append(at: number, sequence: number, added: readonly Added[]): Promise<boolean> {
    if (added.length === 0) return true;
    try {
      const file = await this.#fileOf(at);
      await file.handle.appendFile(file.writer.write(sequence, added));
      file.frames++;
      if (file.frames >= levels[at]!.frames) await this.#leave(at);
      this.#tell(null);
      return true;
    } catch (error) {
      this.#pending[at]!.putBack(added);
      const file = this.#files[at];
      await this.#leave(at);
      // One more each time would be thousands before there is room again.
      if (file?.frames === 0) await unlink(file.path).catch(() => {});
      this.#tell(`what was counted cannot be kept in ${this.#options.folder}: ${(error as Error).message}`);
      return false;
    }
  }

  async #fileOf(at: number): Promise<OpenFile> {
    const known = this.#files[at];
    if (known !== null && known !== undefined) return known;
    const { clock, folder } = this.#options;
    const level = levels[at]!;
    this.#prune(level);
    const time = String(Math.floor(clock.wallMs())).padStart(13, '0');
    const name = `${level.name}-${time}-${String(this.#count++ % 1_000_000).padStart(6, '0')}.series`;
    const path = join(folder, name);
    const file = { handle: await open(path, 'ax', 0o600), path, writer: new FrameWriter(), frames: 0 };
    this.#files[at] = file;
    return file;
  }

  /** After an error too: what that has left of a frame is at the end of its file, and nothing follows it there. */
  async #leave(at: number): Promise<void> {
    const file = this.#files[at] ?? null;
    this.#files[at] = null;
    await file?.handle.close().catch(() => {});
  }

  /** One file of a kind each time a new one is begun: a clock that leaps ahead does not remove them all. */
  #prune(level: Level): void {
    const { bytesMax = BYTES_MAX, clock, folder } = this.#options;
    const files = this.#names();
    const own = files.filter((name) => name.startsWith(`${level.name}-`));
    const [oldest] = own;
    if (oldest === undefined) return;
    const ageMs = clock.wallMs() - Number(named.exec(oldest)![2]);
    const bytes = files.reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
    if (ageMs > level.keptMs || (bytes > bytesMax && own.length > 1)) unlinkSync(join(folder, oldest));
  }

  #tell(problem: string | null): void {
    if (problem === this.#problem) return;
    this.#problem = problem;
    this.#options.onProblem(problem);
  }
}
