/**
 * All that one route does with its requests and answers, compiled from its plan. Pure but for chance, which it is given.
 *
 * Cost: a route without any of it has no `Shaping`, and its requests pay one look at a null.
 */
import type { Random } from '../../kernel/random.ts';
import { normalizePath, PATH_REFUSED, PATH_SAME, type PathRules } from '../l7/target.ts';
import type { Path } from '../l7/write-head.ts';
import type { RoutePlan } from '../snapshot.ts';
import { FieldEdits } from './field-edits.ts';
import { pathNames } from './path-names.ts';
import type { ShapingPlan } from './plan.ts';
import { RouteAnswer } from './route-answer.ts';
import { Split } from './split.ts';
import { type ShapedRequest, Template } from './template.ts';

/** Where paths are written, and where they are brought into form. The thread's own: a request is shaped at one go. */
let written = new Uint8Array(4096);
let normal = new Uint8Array(4096);

const SLASH = 0x2f;

export class Shaping {
  readonly split: Split | null;
  readonly answer: RouteAnswer | null;
  readonly requestFields: FieldEdits | null;
  readonly responseFields: FieldEdits | null;
  /** `Host` that is sent on, if it is another. */
  readonly host: Uint8Array | null;
  /** The path of the last request that `rewrite` was asked for. */
  readonly path: Path = { bytes: written, start: 0, end: 0, changed: false };
  readonly #path: Template | null;

  constructor(plan: ShapingPlan, { name, match }: Pick<RoutePlan, 'name' | 'match'>, random: Random) {
    const names = pathNames(match);
    const { requestFields, responseFields } = plan;
    this.split = plan.split === null ? null : new Split(plan.split, name, random);
    this.requestFields = requestFields === null ? null : new FieldEdits(requestFields, names);
    this.responseFields = responseFields === null ? null : new FieldEdits(responseFields, names);
    this.answer = plan.answer === null ? null : new RouteAnswer(plan.answer, this.responseFields, names);
    this.host = plan.host === null ? null : Buffer.from(plan.host, 'latin1');
    this.#path = plan.path === null ? null : new Template(plan.path, 'path', names);
  }

  /** It sends on other paths than those that are asked for. */
  get rewrites(): boolean {
    return this.#path !== null;
  }

  /** Sets `path` to the one that is sent on for `request`. False if what came out is no path that may be. */
  rewrite(request: ShapedRequest, rules: PathRules): boolean {
    const { path } = request.routed;
    const template = this.#path;
    // `*` is no path.
    if (template === null || path.start === path.end) {
      setPath(this.path, path.bytes, path.start, path.end, path.changed);
      return true;
    }
    const room = template.room(request);
    if (written.length < room) {
      written = new Uint8Array(2 * room);
      normal = new Uint8Array(2 * room);
    }
    const end = template.write(request, written, 0);
    let start = 0;
    // What begins with two is a host to some.
    while (start + 1 < end && written[start + 1] === SLASH) start++;
    if (start === end) written[start] = SLASH;
    const length = normalizePath(written, start, Math.max(end, start + 1), normal, rules);
    if (length === PATH_REFUSED) return false;
    if (length === PATH_SAME) setPath(this.path, written, start, Math.max(end, start + 1), true);
    else setPath(this.path, normal, 0, length, true);
    return true;
  }
}

// WHY five parameters: the path of a request is set in place, not made anew.
function setPath(path: Path, bytes: Uint8Array, start: number, end: number, changed: boolean): void {
  path.bytes = bytes;
  path.start = start;
  path.end = end;
  path.changed = changed;
}
