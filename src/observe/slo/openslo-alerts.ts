/**
 * What of OpenSLO's alert policies can be done: alerts come at four burn rates whatever a policy says, and its severities say which of them are wanted.
 * `ticket` are those that can wait, anything else wakes somebody. That conditions and targets that are referred to are there is checked.
 */
import { type MistakeList, oneOfNames, type Path, show } from '../../reading/mistakes.ts';
import { alertName, plainTarget, type SloAlerts } from './objective.ts';
import type { AlertPolicySpec, PolicyUse } from './openslo-schema.ts';

/** Documents of the file that others refer to, by name. */
export interface AlertDocuments {
  readonly policies: ReadonlyMap<string, { readonly spec: AlertPolicySpec; readonly path: Path }>;
  /** The severity of each. */
  readonly conditions: ReadonlyMap<string, string>;
  readonly targets: ReadonlySet<string>;
}

export function readAlerts(
  given: readonly PolicyUse[] | null | undefined,
  path: Path,
  documents: AlertDocuments,
  list: MistakeList,
): SloAlerts {
  const all = { name: alertName, page: plainTarget, ticket: plainTarget, failuresMin: 1 };
  const uses = given ?? [];
  if (uses.length === 0) return all;
  const severities = uses.flatMap((use, index) => severitiesOf(use, [...path, index], documents, list));
  const message =
    'alerts come at four burn rates, and not at the thresholds of policies: of those the severity is used, ticket or another';
  list.warning(path, { message }, 'key');
  const isTicket = (severity: string): boolean => severity.toLowerCase() === 'ticket';
  return {
    ...all,
    page: { ...plainTarget, enabled: severities.some((severity) => !isTicket(severity)) },
    ticket: { ...plainTarget, enabled: severities.some(isTicket) },
  };
}

function severitiesOf(
  use: PolicyUse,
  path: Path,
  { policies, conditions, targets }: AlertDocuments,
  list: MistakeList,
): readonly string[] {
  const { alertPolicyRef, spec: own } = typeof use === 'string' ? { alertPolicyRef: use } : use;
  if ((alertPolicyRef === undefined) === (own === undefined)) {
    const found = own === undefined ? 'neither' : 'both';
    list.error(path, { message: 'a policy is not clear', found, expected: 'either alertPolicyRef or spec' });
    return [];
  }
  const named = alertPolicyRef ?? '';
  const policy = own === undefined ? policies.get(named) : { spec: own, path: [...path, 'spec'] };
  if (policy === undefined) {
    missing('AlertPolicy', named, { path, names: [...policies.keys()], list });
    return [];
  }
  for (const [index, { targetRef }] of policy.spec.notificationTargets.entries()) {
    const at = [...policy.path, 'notificationTargets', index, 'targetRef'];
    if (targetRef !== undefined && !targets.has(targetRef))
      missing('AlertNotificationTarget', targetRef, { path: at, names: [...targets], list });
  }
  return policy.spec.conditions.flatMap(({ conditionRef, spec }, index): string[] => {
    const at = [...policy.path, 'conditions', index];
    if ((conditionRef === undefined) === (spec === undefined)) {
      const found = spec === undefined ? 'neither' : 'both';
      list.error(at, { message: 'a condition is not clear', found, expected: 'either conditionRef or spec' });
      return [];
    }
    const severity = spec?.severity ?? conditions.get(conditionRef ?? '');
    if (severity !== undefined) return [severity];
    const names = [...conditions.keys()];
    missing('AlertCondition', conditionRef ?? '', { path: [...at, 'conditionRef'], names, list });
    return [];
  });
}

function missing(
  kind: string,
  name: string,
  { path, names, list }: { readonly path: Path; readonly names: readonly string[]; readonly list: MistakeList },
): void {
  list.error(path, { message: `there is no ${kind} ${show(name)} in this file`, ...oneOfNames(name, names, 'one of') });
}
