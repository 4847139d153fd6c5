/** What the docs point at exists: files, headings, npm scripts. */
import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { test } from 'node:test';

const root = resolve(import.meta.dirname, '..');
const pages = globSync(['*.md', '{docs,examples,bench,src}/**/*.md'], { cwd: root });
const read = (path: string): string => readFileSync(join(root, path), 'utf8');

/** The anchor that a Markdown heading gets on the usual code hosts. */
function anchors(text: string): string[] {
  return [...text.matchAll(/^#+ (.+)$/gm)].map((match) =>
    match[1]!
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

test('links between files lead somewhere', () => {
  assert.ok(pages.includes('docs/architecture.md'));
  const faults: string[] = [];
  for (const page of pages) {
    for (const [, target = ''] of read(page).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(target)) continue;
      const [path = '', anchor] = target.split('#');
      const file = path === '' ? page : join(dirname(page), path);
      if (!existsSync(join(root, file))) faults.push(`${page} links to ${target}, which does not exist`);
      else if (anchor !== undefined && file.endsWith('.md') && !anchors(read(file)).includes(anchor)) {
        faults.push(`${page} links to ${target}, and there is no such heading`);
      }
    }
  }
  assert.deepEqual(faults, []);
});

test('npm scripts and source files that the docs name exist', () => {
  const { scripts } = JSON.parse(read('package.json')) as { readonly scripts: Readonly<Record<string, string>> };
  const faults: string[] = [];
  for (const page of pages.filter((path) => path !== 'CHANGELOG.md')) {
    const text = read(page);
    for (const [, name = ''] of text.matchAll(/\bnpm run ([\w:-]+)/g)) {
      if (!Object.hasOwn(scripts, name)) faults.push(`${page} names the script ${name}`);
    }
    for (const [, path = ''] of text.matchAll(/`((?:src|test|scripts|bench|examples)\/[\w./-]+\.(?:ts|json|yaml))`/g)) {
      if (!existsSync(join(root, path))) faults.push(`${page} names the file ${path}`);
    }
  }
  assert.deepEqual(faults, []);
});
