/**
 * `npm run bench -- NAME [options]`: runs one benchmark by name.
 *
 * A name is either a folder here with a `main.ts` (`gateway`: whole proxies, side by side) or a `NAME.bench.ts` beside the code
 * it measures (`head`: one algorithm, nanoseconds). Without a name, lists what there is, each with the first
 * sentence of its file.
 */
import { globSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

function benchmarks(): Map<string, string> {
  const found = new Map<string, string>();
  for (const file of globSync('src/**/*.bench.ts', { cwd: root })) found.set(basename(file, '.bench.ts'), file);
  for (const file of globSync('bench/*/main.ts', { cwd: root })) found.set(basename(dirname(file)), file);
  found.set('profile', 'bench/gateway/profile.ts');
  return found;
}

/** The first sentence of the comment that a file opens with. */
function purpose(file: string): string {
  const comment = /^\/\*\*([^]*?)\*\//.exec(readFileSync(join(root, file), 'utf8'))?.[1] ?? '';
  const words = comment.replaceAll(/\n \*/g, ' ').replaceAll(/ +/g, ' ').trim();
  return /^(?:`[^`]*`: )?(.*?)(?:[.:;](?: |$)|$)/.exec(words)?.[1] ?? '';
}

const [name, ...rest] = process.argv.slice(2);
const found = benchmarks();
const file = found.get(name ?? '');
if (file === undefined) {
  const list = [...found]
    .toSorted(([a], [b]) => a.localeCompare(b))
    .map(([each, path]) => `  ${each.padEnd(12)} ${purpose(path)}\n`);
  process.stderr.write(`${name === undefined ? 'Which benchmark?' : `No benchmark is called “${name}”.`} There are:\n`);
  process.stderr.write(list.join(''));
  process.exitCode = 2;
} else {
  process.argv = [process.argv[0] ?? 'node', join(root, file), ...rest];
  await import(pathToFileURL(join(root, file)).href);
}
