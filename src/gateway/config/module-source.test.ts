/** A config as a module, run for real: each test writes files into a folder of its own. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import type { TestContext } from 'node:test';
import { systemClock } from '../../kernel/clock.ts';
import type { Clock } from '../../kernel/clock.ts';
import { formatMistake, loadConfig } from './index.ts';
import { locateInModule } from '../../reading/module-places.ts';

function folder(t: TestContext, files: Readonly<Record<string, string>>): (name: string) => string {
  const path = mkdtempSync(join(tmpdir(), 'spillway-config-'));
  t.after(() => rmSync(path, { recursive: true }));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(path, name), text);
  return (name) => join(path, name);
}

const valid = (endpoint: string) => `
interface Where { readonly host: string }
const where: Where = { host: '127.0.0.1' };
export default {
  listeners: [{ name: 'web', address: \`\${where.host}:8080\` }],
  services: [{ name: 'shop', endpoints: [${endpoint}] }],
  routes: [{ service: 'shop' as const }],
};`;

/** How long a config may take is tested at the end; before, a busy machine takes what it takes. */
const patient: Clock = { ...systemClock, after: () => ({ clear: () => {} }) };

/** `line:column message` of what is wrong. */
async function complaints(file: string, clock: Clock = patient): Promise<string[]> {
  const { mistakes } = await loadConfig(file, { clock });
  return mistakes.map(({ line, column, message }) => `${line}:${column} ${message}`);
}

test('a TypeScript config is run and means what it exports', async (t) => {
  const at = folder(t, { 'spillway.config.ts': valid(`'127.0.0.1:9001'`) });
  const { config, mistakes } = await loadConfig(at('spillway.config.ts'), { clock: patient });
  assert.deepEqual(mistakes, []);
  assert.equal(config?.listeners[0]?.address.text, '127.0.0.1:8080');
});

test('a reload sees new content, also of a file that is imported', async (t) => {
  const at = folder(t, {
    'endpoint.ts': `export const endpoint: string = '127.0.0.1:9001';`,
    'spillway.config.ts': `import { endpoint } from './endpoint.ts';${valid('endpoint')}`,
  });
  const endpoint = async () =>
    (await loadConfig(at('spillway.config.ts'), { clock: patient })).config?.services[0]?.endpoints[0]?.address.port;
  assert.equal(await endpoint(), 9001);
  writeFileSync(at('endpoint.ts'), `export const endpoint: string = '127.0.0.1:9002';`);
  assert.equal(await endpoint(), 9002);
  const { files } = await loadConfig(at('spillway.config.ts'), { clock: patient });
  assert.deepEqual(files, [at('spillway.config.ts'), at('endpoint.ts')], 'both are to be watched');
});

test('a config beside a package.json that says commonjs, as npm init writes it, may export all the same', async (t) => {
  const at = folder(t, {
    'package.json': '{ "type": "commonjs" }',
    'endpoint.ts': `export const endpoint: string = 'a:1';`,
    'spillway.config.ts': `import { endpoint } from './endpoint.ts';${valid('endpoint')}`,
    'required.js': `const endpoint = 'a:1';${valid('endpoint')
      .replace(/interface.*/, '')
      .replace(': Where', '')
      .replace('export default', 'module.exports =')
      .replace(' as const', '')}`,
  });
  for (const name of ['spillway.config.ts', 'required.js']) assert.deepEqual(await complaints(at(name)), [], name);
});

test('a config may import defineConfig where Spillway is not installed', async (t) => {
  const text = valid(`'a:1'`).replace('export default {', 'export default defineConfig({').replace(/};$/, '});');
  const at = folder(t, { 'spillway.config.ts': `import { defineConfig } from 'spillway';${text}` });
  assert.deepEqual(await complaints(at('spillway.config.ts')), []);
});

test('.mjs, CommonJS-free .js and a promise as default export', async (t) => {
  const text = `export default Promise.resolve(${valid(`'a:1'`).split('export default')[1]?.replace(' as const', '').replace('where.host', "'127.0.0.1'").trim().slice(0, -1)});`;
  const at = folder(t, {
    'package.json': '{"type":"module"}',
    'spillway.config.mjs': text,
    'spillway.config.js': text,
  });
  for (const name of ['spillway.config.mjs', 'spillway.config.js'])
    assert.deepEqual(await complaints(at(name)), [], name);
});

test('mistakes are found in the source: through types, constants, spreads and defineConfig', () => {
  const source = [
    'import { defineConfig } from "spillway";', //
    'interface Über { readonly x: "ü" }',
    'const limits = { header: "32" } as const;',
    'const more: readonly string[] = ["a:1", "b"];',
    'const last = { admin: { address: "y" } };',
    'export default defineConfig({ admin: { address: "z" }, ...last,',
    '  listeners: [{ name: "web" as string, ...{ address: "x" }, limits }],',
    '  services: [{ endpoints: [...more, "c"] satisfies unknown[] }],',
    '  retries: 1, ...{ retries: 2 },',
    '} as unknown as Über);',
  ].join('\n');
  const locate = locateInModule(source, { typescript: true });
  const found = (path: readonly (string | number)[], part?: 'key' | 'value') => {
    const { line, column } = locate(path, part);
    return `${line}:${(source.split('\n')[line - 1] ?? '').slice(column - 1).slice(0, 8)}`;
  };
  assert.equal(found(['listeners', 0, 'limits', 'header']), '3:"32" } a');
  assert.equal(found(['listeners', 0, 'limits', 'header'], 'key'), '3:header: ');
  assert.equal(found(['listeners', 0, 'address']), '7:"x" }, l');
  assert.equal(found(['listeners', 0, 'name']), '7:"web" as');
  assert.equal(found(['services', 0, 'endpoints', 1]), '4:"b"];');
  assert.equal(found(['services', 0, 'endpoints', 2]), '8:"c"] sat');
  assert.equal(found(['services', 0, 'name']), '8:{ endpoi');
  assert.equal(found(['nope']), '6:defineCo');
  assert.equal(found(['admin', 'address']), '5:"y" } };');
  assert.equal(found(['retries']), '9:2 },');
});

test('a source that is computed, circular or broken has a place all the same', () => {
  const places = [
    'export default make();',
    'const a = b; const b = a; export default a;',
    'export default {',
    '',
    'export {}',
  ];
  for (const source of places)
    assert.equal(locateInModule(source, { typescript: true })(['a', 0, 'b']).line, 1, source);
});

test('a mistake in a module is shown with its place', async (t) => {
  const at = folder(t, { 'spillway.config.ts': valid(`'127.0.0.1'`) });
  const { config, mistakes } = await loadConfig(at('spillway.config.ts'), { clock: patient });
  assert.equal(config, null);
  const shown = mistakes.map(formatMistake).join('\n');
  assert.match(
    shown,
    /spillway\.config\.ts:6:42: services\[0\]\.endpoints\[0\] is not valid\. Found "127\.0\.0\.1", expected host:port/,
  );
});

test('a module that cannot be run says why and where', async (t) => {
  const at = folder(t, {
    'throws.ts': `const a = 1;\n\nthrow new Error('no such host');\nexport default a;`,
    'syntax.mjs': 'export default {\n  a: 1,,\n};',
    'imports.ts': `import './nothing.ts';\nexport default {};`,
    'bare.ts': 'export const a = 1;',
    'code.ts': 'export default { listeners: () => 1 };',
    'exits.ts': 'process.exit(3);',
    'waits.ts': 'await new Promise(() => {});\nexport default {};',
    'types.ts': 'const a: number = 1;\nexport default { listeners: [ };\n',
  });
  assert.match((await complaints(at('throws.ts')))[0] ?? '', /^3:7 the config could not be run: no such host$/);
  assert.match((await complaints(at('syntax.mjs')))[0] ?? '', /^2:\d+ the config could not be run: Unexpected token/);
  assert.match(
    (await complaints(at('imports.ts')))[0] ?? '',
    /Cannot find module '.*nothing\.ts' imported from .*imports\.ts$/,
  );
  const { files } = await loadConfig(at('syntax.mjs'), { clock: patient });
  assert.deepEqual(files, [at('syntax.mjs')]);
  assert.match((await complaints(at('bare.ts')))[0] ?? '', /no default export; write: export default …$/);
  assert.match((await complaints(at('code.ts')))[0] ?? '', /not plain data/);
  assert.match((await complaints(at('exits.ts')))[0] ?? '', /ended the process \(exit 3\)/);
  assert.match((await complaints(at('waits.ts')))[0] ?? '', /it waits for something that never comes/);
  assert.match((await complaints(at('types.ts')))[0] ?? '', /^2:31 the config could not be run: Expression expected/);
});

test('what a config prints does not mix with what the program prints', async (t) => {
  const at = folder(t, { 'prints.ts': `console.log('from the config');${valid(`'a:1'`)}` });
  const program = `
    import { loadConfig } from ${JSON.stringify(new URL('index.ts', import.meta.url).href)};
    const { mistakes } = await loadConfig(${JSON.stringify(at('prints.ts'))});
    console.log(JSON.stringify(mistakes));`;
  const run = promisify(execFile)(process.execPath, ['--input-type=module', '-e', program]);
  const { stdout, stderr } = await run;
  assert.equal(stdout, '[]\n');
  assert.equal(stderr, 'from the config\n', 'and no warning of Node about the file');
});

test('a module that never ends is ended', async (t) => {
  const at = folder(t, {
    'loops.ts': 'while (true);',
    'waits.ts': 'setInterval(() => {}, 1000); await new Promise(() => {}); export default 1;',
  });
  // A clock whose timers fire at once: the wait itself is not what is tested.
  const hurried: Clock = { ...systemClock, after: (_, run) => systemClock.after(0, run, { ref: true }) };
  assert.match((await complaints(at('loops.ts'), hurried))[0] ?? '', /did not end within 30 s/);
  assert.match((await complaints(at('waits.ts'), hurried))[0] ?? '', /did not end within 30 s/);
});
