/**
 * From the documents of an OpenSLO v1 file to objectives. One file is one service; indicators may stand inside or beside.
 *
 * Read: rolling windows, all three budgeting methods, `ratioMetric` over Prometheus, data sources, and of alert policies the severities (`openslo-alerts.ts`). Of ours: a metric source of type `Spillway` (the
 * gateway's own counters) and the annotations `spillway/sla` and `spillway/policy-warn`, `-review`, `-freeze`, `-history`. Refused, with the reason: what needs a calendar,
 * thresholds over gauges, ratios of gauges, composites, and data sources of other kinds.
 */
import { parsePercentage } from '../../kernel/units.ts';
import { formatPath, type MistakeList, oneOfNames, type Path, show } from '../../reading/mistakes.ts';
import { alertWindowsS } from './burn-alerts.ts';
import type { Indicator } from './objective.ts';
import { readAlerts } from './openslo-alerts.ts';
import type { OpenSloParts } from './openslo-parts.ts';
import { type BudgetPolicy, policyKeys, policyOf } from './policy.ts';
import { badOf, fromGateway, latencyIndicator, type Placed } from './slo-rules.ts';
import { promDuration } from './promql.ts';
import { slicedIndicator } from './time-slices.ts';
import type { IndicatorSpec, MetricSource, SloDocument } from './openslo-schema.ts';
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
  return slos.flatMap(({ document, at }): Placed[] => {
    const path: Path = [at, 'spec'];
    const { metadata, spec } = document;
    if (first !== undefined && spec.service !== first.document.spec.service) {
      const expected = `${first.document.spec.service}, as in line ${list.lineOf([first.at, 'spec', 'service'])}`;
      list.error([...path, 'service'], { message: 'a file is about one service', found: show(spec.service), expected });
    }
    refuseOthers(spec, path, list);
    const objective = readTarget(document, path, list);
    const counted = readIndicator(document, path, parts, list);
    const indicator = counted === null ? null : sliced(counted, document.spec, path, list);
    const alerts = readAlerts(spec.alertPolicies, [...path, 'alertPolicies'], parts, list);
    if (objective === null || indicator === null) return [];
    const metadataAt: Path = [at, 'metadata'];
    const slo = {
      service: spec.service,
      name: metadata.name,
      description: spec.description ?? metadata.displayName ?? null,
      objective,
      windowMs: spec.timeWindow[0]?.duration ?? 0,
      sla: readSla(document, metadataAt, list),
      labels: readLabels(document, metadataAt, list),
      indicator,
      alerts,
      policy: readPolicy(document, metadataAt, list),
    };
    const annotationAt = (name: string): Path => [...metadataAt, 'annotations', name];
    const places = { name: [...metadataAt, 'name'], sla: annotationAt(SLA), labels: [...metadataAt, 'labels'] };
    return [{ slo, at: { ...places, policy: (level) => annotationAt(POLICY + level) } }];
  });
}

function refuseOthers(spec: SloDocument['spec'], path: Path, list: MistakeList): void {
  const [window] = spec.timeWindow;
  if (window?.isRolling === false || window?.calendar !== undefined) {
    const message =
      'windows are rolling: one of a calendar starts with a full budget on its first day, whatever was before';
    list.error([...path, 'timeWindow', 0], { message, expected: 'isRolling: true and no calendar' });
  }
  const [objective = {}] = spec.objectives;
  for (const key of ['compositeWeight', 'indicator', 'indicatorRef'] as const) {
    if (!Object.hasOwn(objective, key)) continue;
    const message = `${key} of an objective is for composites, which are not counted`;
    list.error([...path, 'objectives', 0, key], { message, expected: 'target or targetPercent' }, 'key');
  }
}

/** As the budget is counted: by events, or by slices of time, which all weigh the same. */
function sliced(indicator: Indicator, spec: SloDocument['spec'], path: Path, list: MistakeList): Indicator | null {
  const { budgetingMethod: method, objectives, timeWindow } = spec;
  const [{ target = 0.5, targetPercent, timeSliceTarget, timeSliceWindow } = {}] = objectives;
  const at: Path = [...path, 'objectives', 0];
  const wanted = { timeSliceTarget: method === 'Timeslices', timeSliceWindow: method !== 'Occurrences' };
  for (const [key, isWanted] of Object.entries(wanted)) {
    const isThere = (key === 'timeSliceTarget' ? timeSliceTarget : timeSliceWindow) !== undefined;
    if (isThere === isWanted) continue;
    const message = `${key} of an objective is for ${key === 'timeSliceTarget' ? 'Timeslices' : 'time slices'}`;
    list.error(isThere ? [...at, key] : at, {
      message: isThere ? message : `${method} need ${key}`,
      found: isThere ? method : 'none',
      expected: isThere ? 'none of it, or another budgetingMethod' : slicesExpected[key as keyof typeof wanted],
    });
    return null;
  }
  if (method === 'Occurrences' || timeSliceWindow === undefined) return indicator;
  const windowMs = timeWindow[0]?.duration ?? 0;
  const [shortestS = 0] = alertWindowsS({ objective: targetPercent ?? target, windowMs });
  if (timeSliceWindow > shortestS * 1000) {
    const message = 'a slice is longer than the shortest window that alerts look back over';
    const expected = `at most ${promDuration(shortestS)} for an objective over ${promDuration(windowMs / 1000)}`;
    list.error([...at, 'timeSliceWindow'], { message, found: promDuration(timeSliceWindow / 1000), expected });
    return null;
  }
  return slicedIndicator(indicator, timeSliceWindow / 1000, timeSliceTarget ?? null);
}

const slicesExpected = {
  timeSliceTarget: 'timeSliceTarget: the share of events of a slice that must be good, such as 0.95',
  timeSliceWindow: 'timeSliceWindow: how long a slice is, such as 1m',
} as const;

function readTarget({ spec }: SloDocument, path: Path, list: MistakeList): number | null {
  const { target, targetPercent } = spec.objectives[0] ?? {};
  if ((target === undefined) !== (targetPercent === undefined)) return target ?? targetPercent ?? null;
  const found = target === undefined ? 'neither' : 'both';
  list.error([...path, 'objectives', 0], {
    message: 'an objective has either target (0.999) or targetPercent (99.9)',
    found,
    expected: 'one of them',
  });
  return null;
}

function readIndicator(document: SloDocument, path: Path, parts: OpenSloParts, list: MistakeList): Indicator | null {
  const { indicator, indicatorRef } = document.spec;
  if ((indicator === undefined) === (indicatorRef === undefined)) {
    const found = indicator === undefined ? 'neither' : 'both';
    list.error(path, { message: 'what is measured is not clear', found, expected: 'either indicator or indicatorRef' });
    return null;
  }
  if (indicator !== undefined)
    return readSpec(indicator.spec, [...path, 'indicator', 'spec'], { document, parts }, list);
  const named = parts.indicators.get(indicatorRef ?? '');
  if (named !== undefined) return readSpec(named.spec, named.path, { document, parts }, list);
  const message = `there is no SLI ${show(indicatorRef)} in this file`;
  const names = oneOfNames(indicatorRef, [...parts.indicators.keys()], 'one of');
  list.error([...path, 'indicatorRef'], { message, ...names });
  return null;
}

/** The objective that an indicator is read for, and what it may refer to. */
interface Around {
  readonly document: SloDocument;
  readonly parts: OpenSloParts;
}

function readSpec(spec: IndicatorSpec, path: Path, around: Around, list: MistakeList): Indicator | null {
  const { thresholdMetric, ratioMetric } = spec;
  if ((thresholdMetric === undefined) === (ratioMetric === undefined)) {
    const found = thresholdMetric === undefined ? 'neither' : 'both';
    const expected = 'either ratioMetric or thresholdMetric';
    list.error(path, { message: 'what is measured is not clear', found, expected });
    return null;
  }
  if (thresholdMetric !== undefined) {
    return readThreshold(thresholdMetric, [...path, 'thresholdMetric'], around, list);
  }
  return ratioMetric === undefined ? null : readRatio(ratioMetric, [...path, 'ratioMetric'], around, list);
}

/** `Spillway` only: its histogram has the times of all requests, where a gauge of Prometheus has one value a scrape. */
function readThreshold(
  { metricSource }: MetricSource,
  path: Path,
  { document, parts }: Around,
  list: MistakeList,
): Indicator | null {
  const { metricSourceRef, spec } = metricSource;
  const type = metricSource.type ?? parts.sources.get(metricSourceRef ?? '');
  if (type !== 'Spillway') {
    const message = 'a threshold over a metric of Prometheus counts scrapes and not events';
    const expected = 'a ratioMetric over the buckets of a histogram, or type Spillway';
    list.error([...path, 'metricSource', 'type'], { message, found: show(type), expected });
    return null;
  }
  const { op, value } = document.spec.objectives[0] ?? {};
  if ((op !== 'lt' && op !== 'lte') || value === undefined || value <= 0) {
    const message = `the objective of ${document.metadata.name} does not say how long an answer may take`;
    const at: Path = [...path.slice(0, 1), 'spec', 'objectives', 0];
    list.error(at, { message, expected: 'op: lte and a value in seconds, such as 0.2' });
    return null;
  }
  const requests = { service: spec.service ?? document.spec.service, route: spec.route ?? null };
  return latencyIndicator(requests, value * 1000, (finding) => list.error(path, finding));
}

type Ratio = NonNullable<IndicatorSpec['ratioMetric']>;

function readRatio(ratio: Ratio, path: Path, around: Around, list: MistakeList): Indicator | null {
  const { document, parts } = around;
  const given = (['good', 'bad', 'total', 'raw'] as const).filter((key) => ratio[key] !== undefined).join(', ');
  if (ratio.raw !== undefined || ratio.rawType !== undefined) return readRaw(ratio, path, { given, parts, list });
  if (given !== 'good, total' && given !== 'bad, total') {
    const expected = 'good and total, bad and total, or raw';
    list.error(path, { message: 'a ratio is of two counts', found: given || 'nothing', expected });
    return null;
  }
  if (ratio.counter === false) {
    const message = 'what is counted is how counters grow, and a metric that goes up and down is none';
    list.error([...path, 'counter'], {
      message,
      found: 'false',
      expected: 'true, or raw with the share of bad events',
    });
    return null;
  }
  const { good, bad, total } = ratio;
  const counted = bad ?? good;
  if (counted?.metricSource.type === 'Spillway') {
    const { count, service, route } = counted.metricSource.spec;
    const all = total?.metricSource;
    const isOfSame = all?.type === 'Spillway' && all.spec.service === service && all.spec.route === route;
    if (bad === undefined || count !== 'failed' || all?.spec.count !== 'all' || !isOfSame) {
      const message = 'of the gateway, what failed is counted, and all of the same';
      const expected = 'bad with count: failed, and total with count: all and the same service and route';
      list.error(path, { message, expected });
      return null;
    }
    const requests = { service: service ?? document.spec.service, route: route ?? null };
    return fromGateway({ kind: 'availability', requests });
  }
  const part = queryOf(counted, [...path, bad === undefined ? 'good' : 'bad'], parts, list);
  const whole = queryOf(total, [...path, 'total'], parts, list);
  if (part === null || whole === null) return null;
  return { kind: 'events', bad: bad === undefined ? badOf(part, whole) : part, total: whole, gateway: null };
}

/** A share by itself; of what, must be said. */
function readRaw(
  { raw, rawType }: Ratio,
  path: Path,
  { given, parts, list }: { readonly given: string; readonly parts: OpenSloParts; readonly list: MistakeList },
): Indicator | null {
  if (given !== 'raw' || rawType === undefined) {
    const found = `${given || 'nothing'} and ${rawType === undefined ? 'no rawType' : `rawType: ${rawType}`}`;
    list.error(path, {
      message: 'a share is not clear',
      found,
      expected: 'raw and rawType: failure or success, alone',
    });
    return null;
  }
  const query = queryOf(raw, [...path, 'raw'], parts, list);
  return query === null ? null : { kind: 'ratio', error: rawType === 'success' ? `1 - (${query})` : query };
}

/** PromQL, where a source says that it is of Prometheus, itself or by its data source. */
function queryOf(
  source: MetricSource | undefined,
  path: Path,
  { sources }: OpenSloParts,
  list: MistakeList,
): string | null {
  const { type, metricSourceRef } = source?.metricSource ?? {};
  const referred = metricSourceRef === undefined ? undefined : sources.get(metricSourceRef);
  // One that is described elsewhere and said to be of Prometheus here is.
  const foreign = [type, referred].find((each) => each !== undefined && each.toLowerCase() !== 'prometheus');
  if (foreign !== undefined || (type ?? referred) === undefined) {
    const at: Path = [...path, 'metricSource'];
    if (foreign === undefined && metricSourceRef !== undefined) {
      const message = `there is no DataSource ${show(metricSourceRef)} in this file, and no type beside it`;
      list.error([...at, 'metricSourceRef'], {
        message,
        ...oneOfNames(metricSourceRef, [...sources.keys()], 'one of'),
      });
    } else {
      const found = foreign === undefined ? 'no type' : show(foreign);
      list.error(at, { message: 'only Prometheus is asked', found, expected: 'type: Prometheus' });
    }
    return null;
  }
  const query = source?.metricSource.spec.query ?? null;
  if (query !== null) return query;
  const at: Path = [...path, 'metricSource', 'spec'];
  list.error(at, { message: `${formatPath(at)} has no query`, expected: 'query with PromQL' });
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
