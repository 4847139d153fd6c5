/** What a linter cannot hold: floors, sizes, names, ambient state, dead promises in package.json. Rules are in test/tidy/. */
import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync, statSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { test } from 'node:test';

import { circleFaults } from './tidy/circles.ts';
import { floorFaults } from './tidy/floors.ts';
import { placeFaults, rules, usesInternals } from './tidy/rules.ts';
import { parseSource } from './tidy/source-file.ts';

const root = resolve(import.meta.dirname, '..');
const read = (path: string): string => readFileSync(join(root, path), 'utf8');
const ignored = (path: string): boolean => /(^|\/)(node_modules|dist|coverage|\.git)$/.test(path);

const texts = globSync(['*', '.*', '{src,test,scripts,bench,examples,docs,bin,.ci}/**/*'], {
  cwd: root,
  exclude: ignored,
})
  .filter((path) => /(^|\/)[^.]+$|\.(ts|js|json|md|ya?ml|sh|css|html|lua|sql|cfg|conf)$/.test(path))
  .filter((path) => statSync(join(root, path)).isFile());
const sources = texts
  .filter((path) => /^(src|test|scripts|bench|examples|bin)\/.*\.(ts|js)$/.test(path))
  .map((path) => parseSource(path, read(path)));

interface Manifest {
  readonly files: readonly string[];
  readonly bin: Readonly<Record<string, string>>;
  readonly exports: Readonly<Record<string, string | Readonly<Record<string, string>>>>;
  readonly scripts: Readonly<Record<string, string>>;
  readonly dependencies: Readonly<Record<string, string>>;
}
const manifest = JSON.parse(read('package.json')) as Manifest;
const dependencies = Object.keys(manifest.dependencies);

function none(faults: readonly string[]): void {
  assert.equal(faults.length, 0, `\n${faults.join('\n')}\n`);
}

test('the tree is found', () => {
  assert.ok(sources.some(({ path }) => path === 'src/kernel/errors.ts'));
  assert.ok(texts.includes('docs/architecture.md') && texts.includes('.ci/run'));
});

test('imports go down the floors', () => none(sources.flatMap((file) => floorFaults(file, dependencies))));

test('no file imports itself by way of others', () => none(circleFaults(sources)));

for (const [name, rule] of Object.entries(rules)) {
  test(`every file keeps the rule: ${name}`, () => none(sources.flatMap(rule)));
}

test('internals of Node are used in one file at most', () => {
  const users = sources.filter(usesInternals).map(({ path }) => path);
  assert.ok(users.length <= 1, `internals are used in ${users.join(', ')}`);
});

test('no file names a machine or a registry', () => none(texts.flatMap((path) => placeFaults(path, read(path)))));

test('the lock file holds no download addresses', () => {
  assert.doesNotMatch(read('package-lock.json'), /"resolved"|https?:\/\/[^"]*\.tgz/);
});

interface Locked {
  readonly integrity?: string;
  /** Only of tools that this tree is worked on with. */
  readonly dev?: boolean;
  readonly optional?: boolean;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}
const { packages } = JSON.parse(read('package-lock.json')) as { readonly packages: Readonly<Record<string, Locked>> };

test('the lock file names every platform, so that npm ci works on each', () => {
  // A registry that mirrors a part of the platform packages leaves the rest out, and `npm ci` then refuses the lock file.
  const named = Object.values(packages).flatMap(({ optionalDependencies = {} }) =>
    Object.entries(optionalDependencies),
  );
  const absent = named.filter(([name]) => !Object.hasOwn(packages, `node_modules/${name}`));
  none(absent.map(([name, version]) => `${name} ${version} is not in package-lock.json: install from a full registry`));
});

test('the lock file holds the hash of all but the tools of other platforms', () => {
  const bare = Object.entries(packages).filter(([path, { integrity }]) => path !== '' && integrity === undefined);
  const unsafe = bare.filter(([, { dev, optional }]) => dev !== true || optional !== true);
  none(unsafe.map(([path]) => `${path} has no integrity in package-lock.json: npm ci would take whatever it is given`));
});

test('everything that package.json promises exists', () => {
  const faults: string[] = [];
  const need = (what: string, path: string): void => {
    // What the build makes is there if its source is.
    const source = path.replace(/^\.?\/?/, '').replace(/^dist\/(.*?)(\.d)?\.[jt]s$/, 'src/$1.ts');
    if (!existsSync(join(root, source))) faults.push(`${what} promises ${path}, and ${source} does not exist`);
  };
  for (const [subpath, target] of Object.entries(manifest.exports)) {
    for (const path of typeof target === 'string' ? [target] : Object.values(target)) need(`exports ${subpath}`, path);
  }
  for (const [command, path] of Object.entries(manifest.bin)) need(`bin ${command}`, path);
  for (const path of manifest.files) if (!/^!|^dist$/.test(path)) need('files', path);
  for (const [script, command] of Object.entries(manifest.scripts)) {
    for (const [path] of command.matchAll(/\b[\w/-]+\.ts\b/g)) need(`the script ${script}`, path);
  }
  none(faults);
});

// Each rule is shown to fail, so that a rule that has gone blind is noticed.
const bad: readonly (readonly [rule: string, path: string, text: string])[] = [
  ['floors', 'src/kernel/a.ts', `import { x } from '../gateway/x.ts';`],
  ['floors', 'src/kernel/a.ts', `import { parse } from 'yaml';`],
  ['floors', 'src/limit/a.ts', `import type { x } from '../cache/x.ts';`],
  ['floors', 'src/limit/a.ts', `import { x } from '../observe/x.ts';`],
  ['floors', 'src/gateway/a.ts', `export { x } from '../cli/x.ts';`],
  ['floors', 'src/gateway/a.ts', `import fc from 'fast-check';`],
  ['floors', 'src/gateway/a.ts', `const x = await import('./a.test.ts');`],
  ['floors', 'src/gateway/l7/a.ts', `import { x } from '../config/x.ts';`],
  ['floors', 'src/gateway/l7/a.ts', `export type A = import('../admin/x.ts').A;`],
  ['floors', 'src/gateway/l7/a.ts', `import {\n  x,\n} from '../control/x.ts';`],
  ['floors', 'src/gateway/l7/a.ts', `const at = new URL('../control/x.ts', import.meta.url);`],
  ['size', 'src/kernel/a.ts', '/** a */\n'.repeat(401)],
  ['index', 'src/limit/index.ts', `/** a */\nexport * from './a.ts';`],
  ['index', 'src/limit/index.ts', `${'\n'.repeat(30)}export {};`],
  ['name', 'src/kernel/timerWheel.ts', ''],
  ['name', 'src/kernel/string-utils.ts', ''],
  ['name', 'src/helpers/a.ts', ''],
  ['header', 'src/kernel/a.ts', 'export const a = 1;'],
  ['ambient', 'src/limit/a.ts', 'export const a = (): number => Date.now();'],
  ['ambient', 'src/limit/a.ts', 'export const a = new Date();'],
  ['ambient', 'src/limit/a.ts', 'const t: NodeJS.Timeout = setTimeout(() => {}, 1);'],
  ['ambient', 'src/limit/a.ts', 'globalThis.setInterval(() => {}, 1);'],
  ['ambient', 'src/limit/a.ts', 'console.log(`${Math.random()}`);'],
  ['ambient', 'src/limit/a.ts', `import { setTimeout as sleep } from 'node:timers/promises';`],
  ['inheritance', 'src/limit/a.ts', 'class A {\n  protected b = 1;\n}'],
  ['unfinished', 'src/limit/a.ts', `// ${['TO', 'DO'].join('')}: later`],
  ['unrun', 'src/limit/a.test.ts', `test.skip('a', () => {});`],
  ['unrun', 'src/limit/a.test.ts', `test('a', { todo: true }, () => {});`],
];

const good: readonly (readonly [rule: string, path: string, text: string])[] = [
  [
    'floors',
    'src/gateway/l7/a.ts',
    `import { type x } from '../control/messages.ts';\nimport { y } from '../../kernel/y.ts';`,
  ],
  ['floors', 'src/limit/a.ts', `import type { x } from '../observe/x.ts';\n// import { x } from '../cli/x.ts';`],
  ['floors', 'src/limit/a.test.ts', `import fc from 'fast-check';`],
  ['floors', 'src/gateway/a.ts', "export const text = `\nimport { defineConfig } from '../cli/x.ts';\n`;"],
  [
    'ambient',
    'src/limit/a.ts',
    `socket.setTimeout(1);\n// WHY: the test of this rule\nDate.now();\n// Date.now()\nconst a = 'console.log';`,
  ],
  ['ambient', 'src/limit/a.ts', 'const at = new Date(wallMs);\nconst pattern = /console.log/;'],
  ['ambient', 'src/kernel/a.ts', 'Date.now();'],
  ['size', 'src/kernel/a.ts', `// WHY: one table\n${'/** a */\n'.repeat(401)}`],
];

const faultsOf = (rule: string, path: string, text: string): string[] => {
  const file = parseSource(path, text);
  return rule === 'floors' ? floorFaults(file, dependencies) : rules[rule]!(file);
};

test('each rule sees what breaks it', () => {
  for (const [rule, path, text] of bad)
    assert.equal(faultsOf(rule, path, text).length > 0, true, `${rule} is blind to ${text}`);
  for (const name of Object.keys(rules))
    assert.ok(
      bad.some(([rule]) => rule === name),
      `nothing breaks ${name}`,
    );
  // In pieces, so that this file does not name a place itself.
  const places = [
    ['/wo', 'rk/main/x'],
    ['/ho', 'me/ann/x'],
    ['https://regis', 'try.npmjs.org/x'],
  ].map((parts) => parts.join(''));
  for (const place of places) assert.equal(placeFaults('a.md', `see ${place}`).length, 1, place);
  assert.ok(usesInternals(parseSource('src/gateway/l7/a.ts', `process.binding('tcp_wrap');`)));
});

test('no rule sees what is not there', () => {
  for (const [rule, path, text] of good) assert.deepEqual(faultsOf(rule, path, text), [], `${rule}: ${text}`);
});
