/**
 * What a route does with a request besides routing it, in words: the arm of a split, the gateway's own answer, the path and host
 * that are sent on, copies. The code of the data plane decides; this only asks it.
 */
import { seededRandom } from '../../kernel/random.ts';
import type { SplitPlan } from '../shaping/plan.ts';
import { Shaping } from '../shaping/shaping.ts';
import type { ShapedRequest } from '../shaping/template.ts';
import type { RoutePlan, Snapshot } from '../snapshot.ts';
import type { PathRules } from './target.ts';

export interface ExplainedAnswer {
  readonly status: number;
  /** Where a redirect leads. */
  readonly location: string | null;
}

export interface ExplainedShaping {
  /** Index of the service that would get it; null if the gateway answers. */
  readonly service: number | null;
  /** Of a split: the one that would get it, or is likeliest to. */
  readonly arm: string | null;
  readonly answer: ExplainedAnswer | null;
  /** What came out is no path. */
  readonly badPath: boolean;
  readonly notes: readonly string[];
}

export function explainShaping(
  snapshot: Snapshot,
  route: RoutePlan,
  request: ShapedRequest,
  rules: PathRules,
): ExplainedShaping {
  const { service, shaping: plan } = route;
  const plain = { service, arm: null, answer: null, badPath: false, notes: [] };
  if (plan === null) return plain;
  const shaping = new Shaping(plan, route, seededRandom(1));
  if (shaping.answer !== null) {
    const location = shaping.answer.location(request);
    const answer = { status: shaping.answer.status, location: location === null ? null : latin1(location) };
    return { ...plain, answer };
  }
  if (!shaping.rewrite(request, rules)) return { ...plain, badPath: true };
  const { bytes, start, end } = shaping.path;
  const notes: string[] = [];
  if (plan.path !== null) notes.push(`The path that is sent on is ${latin1(bytes.subarray(start, end))}.`);
  if (plan.host !== null) notes.push(`The Host that is sent on is ${plan.host}.`);
  const arm = plan.split === null ? null : plan.split.arms[armOf(plan.split, shaping, request, notes)]!;
  if (plan.mirror !== null) {
    const copied = snapshot.services[plan.mirror.service]?.name ?? '';
    const share = plan.mirror.share === 1 ? '' : ` with a chance of ${percent(plan.mirror.share)}`;
    notes.push(`A copy goes to ${copied}${share}; the answer to it is thrown away.`);
  }
  return { ...plain, service: arm?.service ?? service, arm: arm?.name ?? null, notes };
}

/** The arm that has the request's key; without one the largest, which is likeliest. */
function armOf({ by, arms }: SplitPlan, shaping: Shaping, request: ShapedRequest, notes: string[]): number {
  const sum = arms.reduce((total, { weight }) => total + weight, 0);
  const shares = arms.map(({ name, weight }) => `${name} ${percent(weight / sum)}`).join(', ');
  if (shaping.split?.isSticky(request.routed) === true) {
    const index = shaping.split.arm(request.routed);
    notes.push(`Its key keeps it in arm ${arms[index]!.name}, of ${shares}.`);
    return index;
  }
  const weights = arms.map(({ weight }) => weight);
  const largest = weights.indexOf(Math.max(...weights));
  const why = by === null ? 'The arm is a matter of chance' : 'It has no key, so the arm is a matter of chance';
  notes.push(`${why}: ${shares}. What is shown is ${arms[largest]!.name}.`);
  return largest;
}

function percent(share: number): string {
  return `${Number((share * 100).toFixed(1))} %`;
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1');
}
