/**
 * What an OpenSLO document measures. A ratio is the same for each objective of an SLO; of a threshold each has its own, so what comes of a document is
 * an indicator for an objective.
 *
 * Read: `ratioMetric` and `thresholdMetric` over Prometheus. Of ours: a metric source of type `Spillway`, the gateway's own counters. Refused, with the
 * reason: data sources of other kinds.
 */
import { formatPath, type MistakeList, oneOfNames, type Path, show } from '../../reading/mistakes.ts';
import type { Indicator } from './objective.ts';
import type { OpenSloParts } from './openslo-parts.ts';
import type { IndicatorSpec, MetricSource, ObjectiveSpec, SloDocument } from './openslo-schema.ts';
import { isOfMoment, queryExpected, type QueryKind, shareBeyond, windowed } from './promql.ts';
import { badOf, fromGateway, latencyIndicator } from './slo-rules.ts';

/** `at` leads to the objective. Null: a mistake was told. */
export type IndicatorOf = (objective: ObjectiveSpec, at: Path) => Indicator | null;

export function readIndicator(
  document: SloDocument,
  path: Path,
  parts: OpenSloParts,
  list: MistakeList,
): IndicatorOf | null {
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

/** The SLO that an indicator is read for, and what it may refer to. */
interface Around {
  readonly document: SloDocument;
  readonly parts: OpenSloParts;
}

function readSpec(spec: IndicatorSpec, path: Path, around: Around, list: MistakeList): IndicatorOf | null {
  const { thresholdMetric, ratioMetric } = spec;
  if (thresholdMetric !== undefined && ratioMetric === undefined) {
    return readThreshold(thresholdMetric, [...path, 'thresholdMetric'], around, list);
  }
  if (ratioMetric !== undefined && thresholdMetric === undefined) {
    const ratio = readRatio(ratioMetric, [...path, 'ratioMetric'], around, list);
    return ratio === null ? null : () => ratio;
  }
  const found = thresholdMetric === undefined ? 'neither' : 'both';
  const expected = 'either ratioMetric or thresholdMetric';
  list.error(path, { message: 'what is measured is not clear', found, expected });
  return null;
}

/** Of the gateway the times of all requests, by its histogram; of Prometheus a value at each moment, so it is time that is good or bad. */
function readThreshold(
  metric: MetricSource,
  path: Path,
  { document, parts }: Around,
  list: MistakeList,
): IndicatorOf | null {
  const { type, metricSourceRef, spec } = metric.metricSource;
  if ((type ?? parts.sources.get(metricSourceRef ?? '')) === 'Spillway') {
    const requests = { service: spec.service ?? document.spec.service, route: spec.route ?? null };
    return ({ op, value }, at) => {
      if ((op === 'lt' || op === 'lte') && value !== undefined && value > 0) {
        return latencyIndicator(requests, value * 1000, (finding) => list.error([...at, 'value'], finding));
      }
      const message = `the objective of ${document.metadata.name} does not say how long an answer may take`;
      list.error(at, { message, expected: 'op: lte and a value in seconds, such as 0.2' });
      return null;
    };
  }
  const query = queryOf(metric, path, parts, list);
  if (query === null) return null;
  if (!isOfMoment(query)) {
    const message = 'a threshold is for a value of each moment, and this looks back over a window';
    list.error([...path, 'metricSource', 'spec', 'query'], {
      message,
      found: show(query),
      expected: 'no $window in it',
    });
    return null;
  }
  return ({ op, value }, at) => {
    if (op !== undefined && value !== undefined) return { kind: 'ratio', error: shareBeyond(query, op, value) };
    const message = `the objective of ${document.metadata.name} does not say what is good`;
    list.error(at, { message, expected: 'op: lte, lt, gte or gt, and a value' });
    return null;
  };
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
  const kind = ratio.counter === false ? 'amount' : 'count';
  const part = windowedOf(counted, [...path, bad === undefined ? 'good' : 'bad'], { kind, parts, list });
  const whole = windowedOf(total, [...path, 'total'], { kind, parts, list });
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
  const query = windowedOf(raw, [...path, 'raw'], { kind: 'share', parts, list });
  return query === null ? null : { kind: 'ratio', error: rawType === 'success' ? `1 - (${query})` : query };
}

/** As it looks back over `$window`. */
function windowedOf(
  source: MetricSource | undefined,
  path: Path,
  { kind, parts, list }: { readonly kind: QueryKind; readonly parts: OpenSloParts; readonly list: MistakeList },
): string | null {
  const text = queryOf(source, path, parts, list);
  const query = text === null ? null : windowed(text, kind);
  if (text !== null && query === null) {
    const at: Path = [...path, 'metricSource', 'spec', 'query'];
    const message = `${formatPath(at)} is not valid`;
    list.error(at, { message, found: show(text), expected: queryExpected[kind] });
  }
  return query;
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
