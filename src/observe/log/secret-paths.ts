/**
 * Places of secrets that no name gives away, as `user.email`, `items[*].card` or `*.street`: a dot or brackets between the steps, `*` for
 * any key or index. A tree of steps, walked beside the value.
 */
import { invalid } from '../../kernel/options.ts';

export interface Step {
  readonly next: Map<string, Step>;
  /** What is here is hidden. */
  isEnd: boolean;
}

const STEP = /\[(?:"([^"\]]*)"|'([^'\]]*)'|([^\]]*))\]|[^.[\]]+/g;

/** Null if there are none, so that nobody walks. */
export function secretPaths(paths: readonly string[]): Step | null {
  if (paths.length === 0) return null;
  const root = newStep();
  for (const path of paths) {
    let at = root;
    for (const key of keysOf(path)) {
      const next = at.next.get(key) ?? newStep();
      at.next.set(key, next);
      at = next;
    }
    at.isEnd = true;
  }
  return root;
}

/** Where `key` leads from these steps: null if nothing behind it is hidden. */
export function follow(steps: readonly Step[], key: string): readonly Step[] | null {
  const found: Step[] = [];
  for (const { next } of steps) {
    for (const step of [next.get(key), next.get('*')]) if (step !== undefined) found.push(step);
  }
  return found.length === 0 ? null : found;
}

export function isPath(text: string): boolean {
  return /[.[*]/.test(text);
}

function keysOf(path: string): string[] {
  const keys = Array.from(
    path.matchAll(STEP),
    ([step, ...bracketed]) => bracketed.find((key) => key !== undefined) ?? step,
  );
  if (keys.length > 0 && !keys.includes('')) return keys;
  throw invalid(`createLogs: redact has “${path}”; expected a name, or a path such as user.email or items[*].card.`);
}

function newStep(): Step {
  return { next: new Map(), isEnd: false };
}
