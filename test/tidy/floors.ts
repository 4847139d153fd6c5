/**
 * Which folder may import which: the floors of docs/architecture.md as a table, and the rule that holds them.
 * An import goes down only; between patterns, and within the gateway from one plane to the other, only where it is said here.
 */
import type { SourceFile } from './source-file.ts';

const patterns = [
  'ring',
  'bloom',
  'geo',
  'limit',
  'balance',
  'health',
  'resilience',
  'cache',
  'lease',
  'lock',
  'elect',
  'raft',
  'data',
  'observe',
];

const floors: ReadonlyMap<string, number> = new Map([
  ['kernel', 0],
  ['drivers', 1],
  ['reading', 1],
  ...patterns.map((name) => [name, 2] as const),
  ...['gateway', 'recover', 'chaos', 'scale'].map((name) => [name, 3] as const),
  ...['cli', 'dashboard', 'testing'].map((name) => [name, 4] as const),
]);

/** Sideways imports that are allowed. Types of `observe` are for everyone. */
const sideways: ReadonlySet<string> = new Set([
  'balance → ring',
  'balance → health',
  'lock → lease',
  'elect → lease',
  'elect → raft',
  'data → ring',
  'data → resilience',
  'cache → resilience',
  // The compiled dashboard is shown by a command.
  'cli → dashboard',
]);

/** What is bundled into the page, and so is no dependency of whoever installs the package. */
const bundled: ReadonlySet<string> = new Set(['preact', '@preact/signals', 'uplot']);

/** The data plane knows nothing of files, schemas or the admin API: it is given a snapshot. */
const controlPlane = ['src/gateway/config/', 'src/gateway/control/', 'src/gateway/admin/'];
const dataPlane = ['src/gateway/l7/', 'src/gateway/l4/'];
/** What both planes speak. */
const betweenPlanes = ['src/gateway/control/messages.ts'];

export function isTest(path: string): boolean {
  return /\.(test|fuzz|bench)\.ts$/.test(path) || !path.startsWith('src/');
}

function folderOf(path: string): string {
  return path.split('/')[1] ?? '';
}

function faultOf(from: string, to: string, typeOnly: boolean): string | null {
  if (to === 'package.json') return null; // it lies two folders above every module, in source and build
  if (!to.startsWith('src/')) return `leaves src/: ${to}`;
  if (isTest(to)) return `imports a test: ${to}`;
  const [source, target] = [folderOf(from), folderOf(to)];
  if (from.startsWith('src/') && from.split('/').length === 2) return null; // src/index.ts stands on the roof
  if (to.split('/').length === 2) return `imports the package's front door: ${to}`;
  const [sourceFloor, targetFloor] = [floors.get(source), floors.get(target)];
  if (sourceFloor === undefined) return `src/${source}/ is on no floor`;
  if (targetFloor === undefined) return `src/${target}/ is on no floor`;
  if (dataPlane.some((folder) => from.startsWith(folder)) && controlPlane.some((folder) => to.startsWith(folder))) {
    return betweenPlanes.includes(to) ? null : `the data plane imports the control plane: ${to}`;
  }
  if (source === target || targetFloor < sourceFloor) return null;
  if (target === 'observe' && typeOnly && sourceFloor === 2) return null;
  if (sideways.has(`${source} → ${target}`)) return null;
  return `${source} (floor ${sourceFloor}) may not import ${target} (floor ${targetFloor})`;
}

/** Every import of a source file that goes where it may not. Tests may import anything. */
export function floorFaults(file: SourceFile, dependencies: readonly string[]): string[] {
  if (isTest(file.path)) return [];
  const faults: string[] = [];
  for (const { specifier, path, line, typeOnly } of file.imports) {
    let fault: string | null = null;
    if (path !== null) fault = faultOf(file.path, path, typeOnly);
    else if (!specifier.startsWith('node:')) {
      const name = specifier.split('/', specifier.startsWith('@') ? 2 : 1).join('/');
      if (folderOf(file.path) === 'kernel') fault = `the kernel imports the package ${name}`;
      else if (folderOf(file.path) === 'dashboard' && bundled.has(name)) continue;
      else if (!dependencies.includes(name)) fault = `${name} is not among the dependencies of package.json`;
    }
    if (fault !== null) faults.push(`${file.path}:${line} ${fault}`);
  }
  return faults;
}
