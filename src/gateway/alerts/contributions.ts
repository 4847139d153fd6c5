/**
 * Where the failures of an objective were, and when they began: by route and by endpoint, from the series that are kept anyway. Pure
 * but for what it reads.
 *
 * Late answers are counted by route as the objective counts them, up to their last byte. Of an endpoint the time until it began to
 * answer is known, of at most 256 endpoints, and as long as a day: so it names those that make routes late by that.
 */
import type { Series } from '../../observe/series/series.ts';
import type { Contribution } from '../../observe/slo/alerts/explanation.ts';
import type { RequestSelector } from '../../observe/slo/gateway-indicator.ts';
import type { Span } from '../../observe/slo/ledger/entry.ts';
import { eventsOf } from '../../observe/slo/live/evaluator.ts';
import type { WindowCount } from '../../observe/slo/live/known-window.ts';
import type { SloStatus } from '../../observe/slo/live/status.ts';
import { errorBudget, gatewayIndicatorOf, type Slo, sloId } from '../../observe/slo/objective.ts';
import { bucketsWithin } from '../durations.ts';
import { serviceNameOf, type Snapshot } from '../snapshot.ts';

export interface Contributions {
  /** Of each route and endpoint; none if it is not the gateway that counts. */
  of(id: string, span: Span): readonly Contribution[];
  /** Of the objective as a whole. */
  count(counted: Pick<SloStatus, 'id' | 'measures'>, span: Span): WindowCount;
}

const classes = ['1xx', '2xx', '3xx', '4xx', '5xx'] as const;
/** Three of these without failures, and what came before was something else. */
const STEP_MS = 10_000;
const CALM_STEPS = 3;
/** Of a window of three days nobody wants the beginning to ten seconds. */
const STEPS_MAX = 400;
/** As many routes and endpoints as have durations. */
const ROWS_MAX = 512;

export interface ContributionSources {
  readonly series: Pick<Series, 'counter' | 'range'>;
  readonly snapshot: () => Snapshot | null;
  readonly objectives: () => readonly Slo[];
}

export function createContributions({ series, snapshot, objectives }: ContributionSources): Contributions {
  return {
    of(id, span) {
      const slo = objectives().find((each) => sloId(each) === id);
      const gateway = slo === undefined ? null : gatewayIndicatorOf(slo);
      const now = snapshot();
      if (gateway === null || now === null) return [];
      const { requests } = gateway;
      return gateway.kind === 'latency'
        ? late(series, requests, { ...span, boundS: gateway.boundS })
        : failed(series, requests, { ...span, snapshot: now });
    },
    count(counted, { fromMs, toMs }) {
      const total = (outcome: 'all' | 'bad'): number => eventsOf(series, counted, outcome).total(fromMs, toMs);
      return { bad: total('bad'), total: total('all') };
    },
  };
}

function failed(
  series: Pick<Series, 'counter'>,
  { service, route }: RequestSelector,
  { fromMs, toMs, snapshot }: Span & { readonly snapshot: Snapshot },
): readonly Contribution[] {
  const sum = (name: string, labels: Readonly<Record<string, string>>): number =>
    series.counter({ name, labels }).total(fromMs, toMs);
  const byClass = (name: string, labels: Readonly<Record<string, string>>): WindowCount => {
    const counts = classes.map((code) => sum(name, { ...labels, code_class: code }));
    return { bad: counts[4] ?? 0, total: counts.reduce((all, each) => all + each, 0) };
  };
  const routes = snapshot.routes.filter(
    (each) => serviceNameOf(snapshot, each) === service && (route === null || each.name === route),
  );
  const byRoute = routes.map(({ name }): Contribution => {
    const labels = { route: name, service };
    const { bad, total } = byClass('spillway_requests_total', labels);
    const broken = sum('spillway_requests_broken_total', labels);
    return { kind: 'route', name, bad: bad + broken, total, what: 'failed' };
  });
  const endpoints = snapshot.services.find(({ name }) => name === service)?.endpoints ?? [];
  const byEndpoint = endpoints.map(({ id: endpoint }): Contribution => {
    const counted = byClass('spillway_endpoint_requests_total', { service, endpoint });
    return { kind: 'endpoint', name: endpoint, ...counted, what: 'failed' };
  });
  return [...byRoute, ...byEndpoint];
}

function late(
  series: Pick<Series, 'range'>,
  { service, route }: RequestSelector,
  { fromMs, toMs, boundS }: Span & { readonly boundS: number },
): readonly Contribution[] {
  const byLabel = (kind: Contribution['kind'], name: string, labels: Readonly<Record<string, string>>) => {
    const stepMs = Math.max(STEP_MS, (toMs - fromMs) / STEPS_MAX);
    const { rows } = series.range({ name, labels, fromMs, toMs, stepMs, rowsMax: ROWS_MAX });
    return rows.flatMap((row): Contribution[] => {
      if (row.kind !== 'histogram') return [];
      const within = bucketsWithin(row.bounds, boundS);
      let [bad, total] = [0, 0];
      for (const step of row.steps) {
        for (const [at, bucket] of step?.buckets.entries() ?? []) {
          const count = step?.counts[at] ?? 0;
          total += count;
          if (bucket >= within) bad += count;
        }
      }
      return [{ kind, name: row.labels[kind] ?? '', bad, total, what: 'late' }];
    });
  };
  const ofRoute = { service, ...(route === null ? {} : { route }) };
  return [
    ...byLabel('route', 'spillway_request_duration_seconds', ofRoute),
    ...byLabel('endpoint', 'spillway_upstream_duration_seconds', { service }),
  ];
}

/** Wall time of the first failures that led to an alert; null if it is not known, or longer ago than its window. */
export function beganMs(
  count: (span: Span) => WindowCount,
  { objective }: Pick<SloStatus, 'objective'>,
  { sinceMs, longS }: { readonly sinceMs: number; readonly longS: number },
): number | null {
  const steps = Math.min(STEPS_MAX, Math.ceil((longS * 1000) / STEP_MS));
  // The second in which it came is counted as a whole.
  const lastMs = (Math.floor(sinceMs / 1000) + 1) * 1000;
  let began: number | null = null;
  let calm = 0;
  for (let step = 0; step < steps && calm < CALM_STEPS; step += 1) {
    const toMs = lastMs - step * STEP_MS;
    const fromMs = toMs - STEP_MS;
    const { bad, total } = count({ fromMs, toMs });
    const fails = total > 0 && bad / total > errorBudget({ objective });
    calm = fails ? 0 : calm + 1;
    if (fails) began = fromMs;
  }
  return calm < CALM_STEPS ? null : began;
}
