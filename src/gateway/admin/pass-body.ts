/** The part of a body that claims to get past a budget that is frozen: `{"override": "why", "by": "ana"}`. */
import type { Pass } from '../../observe/slo/gate.ts';
import { textProblem } from '../../observe/slo/ledger/read-fact.ts';

export const passKeys = ['override', 'securityFix', 'by'] as const;

export const passExample = '{"override": "why", "by": "who"}';

/** Null if nothing is claimed; a sentence if it cannot be understood. */
export function readPass(given: Readonly<Partial<Record<(typeof passKeys)[number], unknown>>>): Pass | string | null {
  const { override, securityFix, by = 'unknown' } = given;
  if (override === undefined && securityFix === undefined) return null;
  if (override !== undefined && securityFix !== undefined) return 'Give either override or securityFix.';
  const [kind, text] =
    override === undefined ? (['security-fix', securityFix] as const) : (['override', override] as const);
  const problem = textProblem(override === undefined ? 'securityFix' : 'override', text) ?? textProblem('by', by);
  return problem ?? { kind, text: String(text), by: String(by) };
}
