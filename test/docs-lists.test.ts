/** Lists in the docs that must equal lists in the code, both ways. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { test } from 'node:test';

import { guideWithMatrix } from '../scripts/safety-matrix.ts';
import { servers } from '../scripts/servers.ts';
import { errorCodes } from '../src/kernel/errors.ts';

const root = resolve(import.meta.dirname, '..');
const read = (path: string): string => readFileSync(resolve(root, path), 'utf8');

test('docs/errors.md says of each error code what the code says, and knows no other', () => {
  const sections = read('docs/errors.md').matchAll(/^### `(?<code>\w+)`\n\n(?<sentence>.+)\n\n(?<advice>[^#]+)/gm);
  const documented = Object.fromEntries([...sections].map(({ groups }) => [groups!['code']!, groups!['sentence']!]));
  assert.deepEqual(documented, errorCodes);
});

test('docs/dependencies.md gives a reason for each dependency, and for no other', () => {
  interface Manifest {
    readonly dependencies: Readonly<Record<string, string>>;
    readonly devDependencies: Readonly<Record<string, string>>;
  }
  const manifest = JSON.parse(read('package.json')) as Manifest;
  const [, atRunTime = '', toBuild = ''] = read('docs/dependencies.md').split(/^## /m);
  const named = (section: string): string[] =>
    [...section.matchAll(/^\| `([^`]+)` \| .+ \| .+ \|$/gm)].map((match) => match[1]!);
  assert.deepEqual(named(atRunTime).toSorted(), Object.keys(manifest.dependencies).toSorted());
  assert.deepEqual(named(toBuild).toSorted(), Object.keys(manifest.devDependencies).toSorted());
});

test('docs/dependencies.md names each test server', () => {
  const text = read('docs/dependencies.md').toLowerCase();
  for (const name of Object.keys(servers)) assert.ok(text.includes(name), `${name} is not named`);
});

test('docs/guides/locks.md prints the safety matrix that the tests show; if not: npm run reference', () => {
  const { is, shouldBe } = guideWithMatrix();
  assert.equal(is, shouldBe);
});

/** `RFC 9112 §6.1, §6.3` is both. */
function sectionsIn(text: string): Set<string> {
  const lists = text.matchAll(/\b(RFC \d+|PROXY protocol|Trace Context)((?:,? §[\d.]*\d)+)/g);
  return new Set(
    [...lists].flatMap(([, standard, list = '']) => list.match(/§[\d.]+/g)!.map((at) => `${standard} ${at}`)),
  );
}

/** Of a test file, all but its comments: a section in a comment is in no title. */
const code = (path: string): string => read(path).replaceAll(/^\s*(?:\/\*|\*|\/\/).*$/gm, '');

test('docs/security.md names no section of a standard that is in the title of none of the tests it names for it', () => {
  const faults: string[] = [];
  for (const row of read('docs/security.md').matchAll(
    /^\| (?<what>.+?) \| .+? \| (?<source>.*?) ?\| (?<tests>.+) \|$/gm,
  )) {
    const { what, source, tests } = row.groups as Record<'what' | 'source' | 'tests', string>;
    const files = [...tests.matchAll(/\]\(\.\.\/([^)]+)\)/g)].map(([, path]) => code(path!));
    const shown = sectionsIn(files.join('\n'));
    for (const section of sectionsIn(source)) if (!shown.has(section)) faults.push(`${what}: ${section}`);
  }
  assert.deepEqual(faults, []);
});
