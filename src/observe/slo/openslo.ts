/**
 * From the documents of an OpenSLO v1 file to objectives. One file is one service; indicators may stand inside or beside.
 *
 * Read: windows that roll and those of a calendar (`openslo-window.ts`), all three budgeting methods, what is measured over Prometheus (`openslo-indicator.ts`), and of alert policies the severities
 * (`openslo-alerts.ts`). Of ours: the annotations `spillway/sla` and `spillway/policy-warn`, `-review`, `-freeze`, `-history`. Refused, with the reason: composites and data sources of other kinds.
 */
import { parsePercentage } from '../../kernel/units.ts';
import { type MistakeList, oneOfNames, type Path, show } from '../../reading/mistakes.ts';
import { formatObjective } from './objective.ts';
import { readAlerts } from './openslo-alerts.ts';
import { readIndicator } from './openslo-indicator.ts';
import type { OpenSloParts } from './openslo-parts.ts';
import type { ObjectiveSpec, SloDocument } from './openslo-schema.ts';
import { readSlices } from './openslo-slices.ts';
import { readTimeWindow } from './openslo-window.ts';
import { type BudgetPolicy, policyKeys, policyOf } from './policy.ts';
import type { Placed } from './slo-rules.ts';
import { readBudgetShare, readHistory, readObjective } from './slo-schema.ts';

/** A document that its schema accepts, and its number in the file. */
export interface Numbered<Document> {
  readonly document: Document;
  readonly at: number;
}

const SLA = 'spillway/sla';
const POLICY = 'spillway/policy-';

export function fromOpenSlo(
  slos: readonly Numbered<SloDocument>[],
  parts: OpenSloParts,
  list: MistakeList,
): readonly Placed[] {
  const [first] = slos;
  return slos.flatMap((numbered): readonly Placed[] => {
    const { service } = numbered.document.spec;
    if (first !== undefined && service !== first.document.spec.service) {
      const expected = `${first.document.spec.service}, as in line ${list.lineOf([first.at, 'spec', 'service'])}`;
      const message = 'a file is about one service';
      list.error([numbered.at, 'spec', 'service'], { message, found: show(service), expected });
    }
    return objectivesOf(numbered, parts, list);
  });
}

/** Each objective of an SLO is one of its own: with its own name, budget, rules and alerts. */
function objectivesOf(
  { document, at }: Numbered<SloDocument>,
  parts: OpenSloParts,
  list: MistakeList,
): readonly Placed[] {
  const path: Path = [at, 'spec'];
  const metadataAt: Path = [at, 'metadata'];
  const { metadata, spec } = document;
  const window = readTimeWindow(spec.timeWindow ?? [], [...path, 'timeWindow'], list);
  const indicatorOf = readIndicator(document, path, parts, list);
  const shared = {
    service: spec.service,
    ...window,
    alerts: readAlerts(spec.alertPolicies, [...path, 'alertPolicies'], parts, list),
    sla: readSla(document, metadataAt, list),
    labels: readLabels(document, metadataAt, list),
    policy: readPolicy(document, metadataAt, list),
  };
  const annotationAt = (name: string): Path => [...metadataAt, 'annotations', name];
  const isOne = spec.objectives.length === 1;
  return spec.objectives.flatMap((given, index): Placed[] => {
    const objectiveAt: Path = [...path, 'objectives', index];
    refuseComposite(given, objectiveAt, list);
    const objective = readTarget(given, objectiveAt, list);
    const counted = indicatorOf?.(given, objectiveAt) ?? null;
    if (objective === null || counted === null) return [];
    const { budgetingMethod: method } = spec;
    const indicator = readSlices(counted, { method, given, objective, ...window }, objectiveAt, list);
    if (indicator === null) return [];
    const description = [given.displayName, spec.description ?? metadata.displayName].filter(
      (text) => text !== undefined,
    );
    const slo = {
      ...shared,
      name: isOne ? metadata.name : `${metadata.name}-${partName(given, objective)}`,
      description: description.length === 0 ? null : description.join(': '),
      objective,
      indicator,
    };
    const name = isOne ? [...metadataAt, 'name'] : nameAt(given, objectiveAt);
    const places = { name, sla: annotationAt(SLA), labels: [...metadataAt, 'labels'] };
    return [{ slo, at: { ...places, policy: (level) => annotationAt(POLICY + level) } }];
  });
}

const NAME_MAX = 64;

/** What tells an objective of several from the others, whatever their order: how it is called, or else what it asks for. */
function partName({ displayName = '', value }: ObjectiveSpec, objective: number): string {
  const called = displayName.toLowerCase().replaceAll(/[^a-z0-9._]+/g, '-');
  const trimmed = called.slice(0, NAME_MAX).replaceAll(/^-+|-+$/g, '');
  if (trimmed !== '') return trimmed;
  const share = formatObjective(objective).slice(0, -1);
  // Of 1e+21 the sign is none that names have.
  return value === undefined ? share : `${String(value).replace('+', '')}-${share}`;
}

function nameAt({ displayName }: ObjectiveSpec, path: Path): Path {
  return displayName === undefined ? path : [...path, 'displayName'];
}

/** Of v2alpha: v1 has a weight nowhere, and not what a whole is made of its parts. */
function refuseComposite(objective: ObjectiveSpec, path: Path, list: MistakeList): void {
  for (const key of ['compositeWeight', 'indicator', 'indicatorRef'] as const) {
    if (!Object.hasOwn(objective, key)) continue;
    const message = `${key} of an objective is for composites, which OpenSLO v1 does not have`;
    list.error([...path, key], { message, expected: 'an SLO for each indicator' }, 'key');
  }
}

function readTarget({ target, targetPercent }: ObjectiveSpec, path: Path, list: MistakeList): number | null {
  if ((target === undefined) !== (targetPercent === undefined)) return target ?? targetPercent ?? null;
  const found = target === undefined ? 'neither' : 'both';
  const message = 'an objective has either target (0.999) or targetPercent (99.9)';
  list.error(path, { message, found, expected: 'one of them' });
  return null;
}

function readSla({ metadata }: SloDocument, path: Path, list: MistakeList): number | null {
  const given = metadata.annotations?.[SLA];
  if (given === undefined) return null;
  const parsed = parsePercentage(given);
  const read = parsed.ok ? readObjective(parsed.value * 100) : null;
  if (read?.ok === true) return read.value;
  const message = `the annotation ${SLA} is not a share that can be promised`;
  list.error([...path, 'annotations', SLA], { message, found: show(given), expected: 'a percentage such as 99.5%' });
  return null;
}

function readPolicy({ metadata }: SloDocument, path: Path, list: MistakeList): BudgetPolicy {
  const given = Object.entries(metadata.annotations ?? {}).filter(([name]) => name.startsWith(POLICY));
  const read = given.flatMap(([name, text]): [string, number | null][] => {
    const at: Path = [...path, 'annotations', name];
    const key = policyKeys.find((each) => name === POLICY + each);
    if (key === undefined) {
      const given = name.slice(POLICY.length);
      const names = oneOfNames(given, policyKeys, 'one of');
      list.error(at, { message: `there is no ${show(given)} in a policy`, ...names }, 'key');
      return [];
    }
    const value = key === 'history' ? readHistory(text) : readBudgetShare(text);
    if (value.ok) return [[key, value.value]];
    const what = key === 'history' ? 'a time' : 'a share of the budget';
    list.error(at, { message: `the annotation ${name} is not ${what}`, found: show(text), ...value.problem });
    return [];
  });
  return policyOf(Object.fromEntries(read));
}

/** OpenSLO allows names and lists of values that Prometheus does not have. */
function readLabels({ metadata }: SloDocument, path: Path, list: MistakeList): Readonly<Record<string, string>> {
  const labels = Object.entries(metadata.labels ?? {}).flatMap(([label, value]): [string, string][] => {
    const [text, ...more] = [value].flat();
    if (/^(?!__)[A-Za-z_]\w*$/.test(label) && text !== undefined && more.length === 0) return [[label, text]];
    const message = `the label ${show(label)} is left out: Prometheus has no such name, or only one value for it`;
    list.warning([...path, 'labels', label], { message }, 'key');
    return [];
  });
  return Object.fromEntries(labels);
}
