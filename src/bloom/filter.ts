/**
 * What a membership filter is: "certainly not" or "probably yes" about a set that is too large to keep.
 *
 * Invariant: never a false negative. What `add` was called with, `has` answers with true, for as long as the filter lives.
 * It may say yes to what was never added: at most at the rate it was made for while it holds no more than its capacity.
 */
import type { FilterKey, FilterKeys } from './filter-key.ts';
import type { FilterKind } from './image.ts';

export interface Filter {
  readonly kind: FilterKind;
  /** How many keys it was made for. */
  readonly capacity: number;
  /** The rate it was made for, at capacity. */
  readonly falsePositiveRate: number;
  /** All there is of it, in the format of image.ts: opened again in another thread if it is shared. */
  readonly memory: ArrayBufferLike;
  /** False if the key was certainly not added; true if it probably was. Allocates nothing. */
  has(key: FilterKey): boolean;
  /** A byte for each key: 1 if it probably was added, else 0. In large Bloom filters, counting and sliding ones too, about half the time of `has`. */
  hasMany(keys: FilterKeys): Uint8Array;
  report(): FilterReport;
  /** A copy that is checked when it is opened: for a message, a column, another machine. */
  toBytes(): Uint8Array<ArrayBuffer>;
}

export interface AddableFilter extends Filter {
  /** Adds a key. True if it surely was not there before; false if it probably was. */
  add(key: FilterKey): boolean;
  /** Adds keys and says how many of them surely were new. If it throws, some of them may have been added. */
  addMany(keys: FilterKeys): number;
  /** About how many different keys were added, by the bits that are set. */
  estimateCount(): number;
}

/** A filter that is somewhere else: each question is a journey. */
export interface StoredFilter {
  readonly capacity: number;
  readonly falsePositiveRate: number;
  /** False if the key was certainly not added; true if it probably was. */
  has(key: FilterKey): Promise<boolean>;
  /** A byte for each key: 1 if it probably was added, else 0. */
  hasMany(keys: FilterKeys): Promise<Uint8Array>;
  /** Adds a key. True if it surely was not there before. */
  add(key: FilterKey): Promise<boolean>;
  /** Adds keys and says how many of them surely were new. */
  addMany(keys: FilterKeys): Promise<number>;
}

/** A filter from which keys can be taken out again. A key that is added twice is there twice. */
export interface DeletableFilter extends AddableFilter {
  /**
   * Takes out a key that was added. False if it surely was not, so that nothing changed. A key that was never added must not be
   * taken out: if it looks like one that was, that one is missing afterwards.
   */
  delete(key: FilterKey): boolean;
}

export interface FilterReport {
  readonly kind: FilterKind;
  readonly bytes: number;
  readonly capacity: number;
  /** About how many different keys it holds. */
  readonly count: number;
  /** Share of its room that is used: of bits set, of places taken. */
  readonly fill: number;
  /** How often `has` says yes to a key that was not added. */
  readonly falsePositiveRate: {
    /** By what is in it now. */
    readonly now: number;
    /** As predicted for a full filter. */
    readonly atCapacity: number;
  };
  /** True when it holds more than it was made for: `now` is then above `atCapacity`, and grows. */
  readonly overCapacity: boolean;
}
