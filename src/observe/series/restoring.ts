/**
 * Takes up what was kept of series on disk, while they go on: its steps are put into tracks of their own, which the series take in when all of it is
 * there. So nobody sees half of a budget, and nothing comes late step by step.
 *
 * Cost: a step some 200 ns; and for as long as it takes, the memory of what is read is counted beside that of what is there.
 */
import type { Clock } from '../../kernel/clock.ts';
import type { Steps } from '../../kernel/steps.ts';
import type { AddedOf } from './block.ts';
import { type Entry, type SeriesIdentity, tracksOf } from './entry.ts';
import { type AnyStep, kindOf } from './kinds.ts';
import { keptSteps, resolutions } from './resolutions.ts';
import type { Track } from './track.ts';

export interface RestoringOptions {
  readonly clock: Clock;
  /** Finds or makes a series; null: there is no room. */
  readonly find: (identity: SeriesIdentity) => Entry | null;
  /** What is held of a series until it takes it in. */
  readonly onBytes: (entry: Entry, bytes: number) => void;
}

type Tracks = readonly (Track<AnyStep> | null)[];

export class Restoring {
  readonly #options: RestoringOptions;
  readonly #nowMs: number;
  /** Of each resolution, the step of now. */
  readonly #now: readonly number[];
  readonly #tracks = new Map<Entry, Tracks>();
  readonly #entries = new Map<SeriesIdentity, Entry | null>();

  constructor(options: RestoringOptions) {
    const wallMs = options.clock.wallMs();
    this.#options = options;
    this.#nowMs = options.clock.nowMs();
    this.#now = resolutions.map(({ stepMs }) => wallMs / stepMs);
  }

  /** Adds to a step of one resolution. Null: it is none of these days, or there is no room for the series. */
  add(identity: SeriesIdentity, at: number, { step, value }: Pick<AddedOf, 'step' | 'value'>): Entry | null {
    // Of a clock that was wrong: as the newest there is, one that was ahead would make all others too old.
    if (Math.abs(step - this.#now[at]!) > keptSteps[identity.detail][at]!) return null;
    let entry = this.#entries.get(identity);
    if (entry === undefined) this.#entries.set(identity, (entry = this.#find(identity)));
    if (entry === null) return null;
    this.#tracks.get(entry)?.[at]?.add(step, value);
    entry.lastMs = Math.max(entry.lastMs, step * resolutions[at]!.stepMs);
    return entry;
  }

  /** All of it is there; or not, and it is let go of again. A series at a time, so that others may have their turn between two. */
  *end(isWhole: boolean): Steps<void> {
    for (const [entry, tracks] of this.#tracks) {
      if (isWhole && entry.isKept) takeIn(entry, tracks);
      else for (const track of tracks) track?.clear();
      yield;
    }
    this.#tracks.clear();
  }

  #find(identity: SeriesIdentity): Entry | null {
    const entry = this.#options.find(identity);
    if (entry === null) return null;
    entry.cameMs = this.#nowMs;
    if (!this.#tracks.has(entry)) {
      const onBytes = (bytes: number): void => this.#options.onBytes(entry, bytes);
      this.#tracks.set(entry, tracksOf(kindOf(entry.kind), entry.detail, onBytes));
    }
    return entry;
  }
}

function takeIn(entry: Entry, restored: Tracks): void {
  // The fine ones: they are the last to have been written, and within the newest of them seconds begin anew.
  const last = restored[1]?.last ?? null;
  if (last !== null) entry.restoredToMs = Math.max(entry.restoredToMs, (last + 1) * resolutions[1]!.stepMs);
  for (const [at, track] of restored.entries()) {
    if (track !== null) (entry.tracks[at] as Track<AnyStep> | null | undefined)?.takeIn(track);
  }
}
