/**
 * What a route may ask of a value: that it is there, is not there, equals, begins with, or matches a regular expression.
 * Bytes are compared, no string is made.
 */
import { equalBytes } from '../../kernel/bytes.ts';
import type { ValueMatch } from '../snapshot.ts';
import { RegexMatcher } from './regex.ts';

export interface ValueTest {
  /** Does a value like `bytes[from, to)` satisfy it? */
  takes(bytes: Uint8Array, from: number, to: number): boolean;
  /** As in "header x-beta …": `is 1`, `begins with Bearer`. */
  readonly words: string;
}

/** A test for what is asked; `absent` has none, because there is no value to test. */
export function createValueTest(match: ValueMatch): ValueTest {
  switch (match.kind) {
    case 'present':
    case 'absent':
      return { takes: () => true, words: 'is there' };
    case 'equals': {
      const wanted = Buffer.from(match.value);
      return { takes: (bytes, from, to) => equalBytes(bytes, from, to, wanted), words: `is ${match.value}` };
    }
    case 'prefix': {
      const wanted = Buffer.from(match.value);
      return {
        takes: (bytes, from, to) => to - from >= wanted.length && equalBytes(bytes, from, from + wanted.length, wanted),
        words: `begins with ${match.value}`,
      };
    }
    case 'regex': {
      const matcher = new RegexMatcher(match.value);
      return { takes: (bytes, from, to) => matcher.test(bytes, from, to), words: `matches ${match.value}` };
    }
    default:
      return match satisfies never;
  }
}
