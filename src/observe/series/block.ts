/** What is written to disk at one moment: what was added to which steps of which series. */
import type { Entry, SeriesIdentity } from './entry.ts';
import type { AnyStep } from './kinds.ts';
import type { SequenceRange } from './sequences.ts';

/** What is written of an entry: it was added to a step. */
export interface Added {
  readonly entry: Entry;
  readonly step: number;
  readonly value: AnyStep;
}

/** What was taken to be written. */
export interface Taken extends Iterable<Added> {
  readonly size: number;
}

export interface AddedOf {
  readonly identity: SeriesIdentity;
  readonly step: number;
  readonly value: AnyStep;
}

export interface Block {
  /** No other block of the folder has it. */
  readonly sequence: number;
  /** Of a coarse one: the fine ones that are in it. */
  readonly holds: readonly SequenceRange[];
  /** It is from before there were any: another may have its sequence, and hold what it holds. */
  readonly isOld: boolean;
  readonly added: readonly AddedOf[];
}

/** What of a file could not be read. */
export interface Damage {
  /** Stretches: at least a block each. */
  readonly places: number;
  readonly bytes: number;
  /** It ends within a block, as a process leaves it that is killed while it writes. */
  readonly isTorn: boolean;
}
