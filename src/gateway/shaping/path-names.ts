/**
 * The parts of a request's path that have names in a route: the segments of a pattern (`/users/{id}`), the named groups of a regular
 * expression (`^/v(?<version>[0-9]+)/`), and what is behind a pattern's end (`{rest}`).
 *
 * Cost: a segment is a walk over the path. Groups are found once for the same path, however many names are filled in; that path is
 * kept, to be compared, so nobody has to say when the next request begins.
 */
import { equalBytes } from '../../kernel/bytes.ts';
import type { Path } from '../l7/write-head.ts';
import { parsePathPattern, type PathPattern } from '../routing/path-pattern.ts';
import { RegexCaptures } from '../routing/regex-captures.ts';
import type { RoutePlan } from '../snapshot.ts';

/** Bytes found in a request. */
export interface Span {
  bytes: Uint8Array;
  start: number;
  end: number;
}

export type ReadPath = (path: Path, into: Span) => void;

export interface PathNames {
  /** Of segments or groups, without those that every path has. */
  readonly names: readonly string[];
  /** Where what is called so stands; null if nothing is. */
  reader(name: string): ReadPath | null;
}

/** Of what a route asks of a path. */
export function pathNames({ path, pathRegex }: Pick<RoutePlan['match'], 'path' | 'pathRegex'>): PathNames {
  if (pathRegex !== null) return groupNames(pathRegex);
  const pattern = path === null ? null : parsePathPattern(path);
  return {
    names: pattern?.names ?? [],
    reader(name) {
      const segment = pattern?.segments.findIndex((_, index) => nameAt(pattern, index) === name) ?? -1;
      return segment >= 0 ? segmentReader(segment) : restReader(name, pattern);
    },
  };
}

const SLASH = 0x2f;
const NOTHING = new Uint8Array(0);

function groupNames(regex: string): PathNames {
  const captures = new RegexCaptures(regex);
  const { names } = captures;
  let kept = NOTHING;
  let matched = false;
  const look = ({ bytes, start, end }: Path): boolean => {
    if (kept.length === end - start && end > start && equalBytes(bytes, start, end, kept)) return matched;
    kept = bytes.slice(start, end);
    matched = captures.match(kept, 0, kept.length);
    return matched;
  };
  return {
    names,
    reader(name) {
      const group = names.indexOf(name);
      // Any path is taken, and the expression looks at all of it.
      if (group < 0) return restReader(name, null);
      return (path, into) => {
        const start = look(path) ? captures.spans[2 * group]! : -1;
        const end = start < 0 ? start : captures.spans[2 * group + 1]!;
        set(into, path.bytes, path.start + Math.max(start, 0), path.start + Math.max(end, 0));
      };
    },
  };
}

/** The name of a segment of a pattern, or null. */
function nameAt({ segments, names }: PathPattern, index: number): string | null {
  if (segments[index] !== null) return null;
  return names[segments.slice(0, index).filter((segment) => segment === null).length] ?? null;
}

function segmentReader(index: number): ReadPath {
  return ({ bytes, start, end }, into) => {
    const from = afterSegments(bytes, start, end, index) + 1;
    set(into, bytes, Math.min(from, end), afterSegments(bytes, start, end, index + 1));
  };
}

/** Behind the segments of an open pattern; for any path all of it; for one that is given to its end nothing. */
function restReader(name: string, pattern: PathPattern | null): ReadPath | null {
  if (name !== 'rest' && name !== '/rest') return null;
  const skipped = pattern === null ? 0 : pattern.open ? pattern.segments.length : Number.POSITIVE_INFINITY;
  return ({ bytes, start, end }, into) => {
    const from = afterSegments(bytes, start, end, skipped);
    set(into, bytes, name === '/rest' ? from : Math.min(from + 1, end), end);
  };
}

/** The slash behind the first `count` segments, or the end. */
function afterSegments(bytes: Uint8Array, start: number, end: number, count: number): number {
  let at = start;
  for (let left = count; left > 0 && at < end; left--) {
    at++;
    while (at < end && bytes[at] !== SLASH) at++;
  }
  return at;
}

// WHY: a span is set in place, not made anew.
function set(into: Span, bytes: Uint8Array, start: number, end: number): void {
  into.bytes = bytes;
  into.start = start;
  into.end = end;
}
