/**
 * No file imports itself by way of others, types included: whoever reads one reads on downwards and comes to an end. Files that must know of
 * each other, as the parts of one machine do, are a room, and a circle stays within it.
 *
 * Circles are found as Tarjan found them (Depth-first search and linear graph algorithms, 1972): files that all reach one another.
 */
import { dirname } from 'node:path/posix';
import { isTest } from './floors.ts';
import type { SourceFile } from './source-file.ts';

const rooms: readonly ((path: string) => boolean)[] = [
  // An exchange, its attempts, and what is told of them.
  (path) =>
    ['src/gateway/l7', 'src/gateway/tracing'].includes(dirname(path)) ||
    ['src/gateway/account.ts', 'src/gateway/access-log/times.ts'].includes(path),
  // A span and its trace.
  (path) => ['src/observe/trace/span.ts', 'src/observe/trace/local-trace.ts'].includes(path),
];

/** The files of each circle that is in no room. */
export function circleFaults(files: readonly SourceFile[]): string[] {
  const imports = new Map(
    files.filter(({ path }) => !isTest(path)).map((file) => [file.path, file.imports.map(({ path }) => path)] as const),
  );
  const order = new Map<string, number>();
  const path: string[] = [];
  const faults: string[] = [];
  /** The first in `path` that `file` reaches. */
  const visit = (file: string): number => {
    const place = order.size;
    let first = place;
    order.set(file, place);
    const depth = path.push(file) - 1;
    for (const target of imports.get(file) ?? []) {
      if (target === null || !imports.has(target)) continue;
      const seen = order.get(target);
      if (seen === undefined) first = Math.min(first, visit(target));
      else if (path.includes(target)) first = Math.min(first, seen);
    }
    if (first < place) return first;
    const circle = path.splice(depth);
    if (circle.length > 1 && !rooms.some((isPart) => circle.every(isPart))) faults.push(circle.join(' → '));
    return first;
  };
  for (const file of imports.keys()) if (!order.has(file)) visit(file);
  return faults;
}
