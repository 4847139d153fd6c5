/**
 * `npm run prepare`, also run by `npm ci`: bundles src/dashboard into dist/dashboard, one file of script, one of style and the page
 * that names them by the hash of what they hold, so that a browser may keep them for ever. With `--watch`, again at each change.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, watch, writeFileSync } from 'node:fs';
import { basename, extname, join, resolve } from 'node:path';
import { build } from 'esbuild';

const root = resolve(import.meta.dirname, '..');
const source = join(root, 'src', 'dashboard');

/** Of what is bundled: their licences ask to be handed on. */
const bundled = ['preact', '@preact/signals', '@preact/signals-core', 'uplot'];

export async function buildDashboard(target = join(root, 'dist', 'dashboard')): Promise<void> {
  const { outputFiles } = await build({
    entryPoints: [join(source, 'main.ts'), join(source, 'main.css')],
    bundle: true,
    minify: true,
    write: false,
    outdir: target,
    format: 'esm',
    target: ['es2022'],
    legalComments: 'none',
    logLevel: 'error',
  });
  const assets = new Map(outputFiles.map(({ path, contents }) => [basename(path), Buffer.from(contents)]));
  assets.set('icon.svg', readFileSync(join(source, 'icon.svg')));
  let page = readFileSync(join(source, 'index.html'), 'utf8');
  rmSync(target, { recursive: true, force: true });
  mkdirSync(join(target, 'assets'), { recursive: true });
  for (const [name, bytes] of assets) {
    const named = hashed(name, bytes);
    writeFileSync(join(target, 'assets', named), bytes);
    page = page.replaceAll(`/assets/${name}`, `/assets/${named}`);
  }
  writeFileSync(join(target, 'index.html'), page);
  writeFileSync(join(target, 'LICENSES.txt'), bundled.map(licence).join('\n'));
}

function hashed(name: string, bytes: Uint8Array): string {
  const digest = createHash('sha256').update(bytes).digest('base64url').slice(0, 10);
  const end = extname(name);
  return `${basename(name, end)}.${digest}${end}`;
}

function licence(name: string): string {
  return `${name}\n\n${readFileSync(join(root, 'node_modules', name, 'LICENSE'), 'utf8')}`;
}

if (import.meta.main) {
  await buildDashboard();
  if (process.argv.includes('--watch')) {
    watch(source, { recursive: true }, () => {
      buildDashboard().then(
        () => console.log('built'),
        (error: unknown) => console.error(String(error)),
      );
    });
  }
}
