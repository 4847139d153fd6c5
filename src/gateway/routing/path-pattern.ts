/**
 * The paths a route may ask for, read from their text:
 *
 *     /login                  exactly that
 *     /api/*                  /api and all below it, on a segment boundary
 *     /users/{id}/orders      a segment that is not empty where the name in braces stands
 *     /users/{id}/*           both
 *
 * Precedence among patterns that take the same path: one that describes the whole path comes before one that is left open
 * (`/*`); of two alike, the first segment in which they differ decides, text before a name before the open end.
 */

export interface PathPattern {
  /** Text of each segment, or null where a name stands. `/` is one empty segment. */
  readonly segments: readonly (string | null)[];
  /** Names in order, one for each null. */
  readonly names: readonly string[];
  /** Ends in `/*`. */
  readonly open: boolean;
}

const NAME = /^\{([A-Za-z_]\w*)\}$/;

export function parsePathPattern(text: string): PathPattern {
  const open = text.endsWith('/*');
  const body = open ? text.slice(0, -2) : text;
  const written = body === '' ? [] : body.slice(1).split('/');
  const names = written.flatMap((segment) => NAME.exec(segment)?.[1] ?? []);
  return { segments: written.map((segment) => (NAME.test(segment) ? null : segment)), names, open };
}

/** Negative if `a` comes before `b`; 0 if they take the same paths. */
export function comparePathPatterns(a: PathPattern, b: PathPattern): number {
  if (a.open !== b.open) return a.open ? 1 : -1;
  const shared = Math.min(a.segments.length, b.segments.length);
  for (let at = 0; at < shared; at++) {
    if ((a.segments[at] === null) !== (b.segments[at] === null)) return a.segments[at] === null ? 1 : -1;
  }
  return b.segments.length - a.segments.length;
}
