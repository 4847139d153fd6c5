/**
 * Writes the safety matrix into the guide on locks, from the list that the tests of test/lease/safety must show.
 * `node scripts/safety-matrix.ts` writes it; test/docs-lists.test.ts holds them equal.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';

import { matrixTable } from '../test/lease/safety/matrix.ts';

const guide = resolve(import.meta.dirname, '../docs/guides/locks.md');
const place = /(<!-- Made from .*matrix\.ts.* -->\n\n)[^]*?(<!-- -->)/;

/** The guide as it is, and as it should be. */
export function guideWithMatrix(): { readonly is: string; readonly shouldBe: string } {
  const is = readFileSync(guide, 'utf8');
  if (!place.test(is)) throw new Error('docs/guides/locks.md has no place for the safety matrix.');
  return { is, shouldBe: is.replace(place, (_, before, after) => `${before}${matrixTable()}\n${after}`) };
}

if (import.meta.main) writeFileSync(guide, guideWithMatrix().shouldBe);
