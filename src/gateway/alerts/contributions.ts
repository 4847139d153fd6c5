/**
 * Where the failures of an objective were, and when they began: by route and by endpoint, from the series that are kept anyway. Pure
 * but for what it reads.
 *
 * Of answers that are late nothing is said: no series counts them by the bound of an objective and by route.
 */
import type { Series } from '../../observe/series/series.ts';
import type { Contribution } from '../../observe/slo/alerts/explanation.ts';
import type { Span } from '../../observe/slo/ledger/entry.ts';
import type { SloStatus } from '../../observe/slo/live/status.ts';
import { errorBudget, type Slo, sloId } from '../../observe/slo/objective.ts';
import { serviceNameOf, type Snapshot } from '../snapshot.ts';

/** `which`: routes alone add up to all that the objective counts, and endpoints may be ten thousand. */
export type Contributions = (id: string, span: Span, which?: 'all' | 'routes') => readonly Contribution[];

const classes = ['1xx', '2xx', '3xx', '4xx', '5xx'] as const;
/** Three of these without failures, and what came before was something else. */
const STEP_MS = 10_000;
const CALM_STEPS = 3;
/** Of a window of three days nobody wants the beginning to ten seconds. */
const STEPS_MAX = 400;

export interface ContributionSources {
  readonly series: Pick<Series, 'counter'>;
  readonly snapshot: () => Snapshot | null;
  readonly objectives: () => readonly Slo[];
}

export function createContributions({ series, snapshot, objectives }: ContributionSources): Contributions {
  return (id, { fromMs, toMs }, which = 'all') => {
    const slo = objectives().find((each) => sloId(each) === id);
    const gateway = slo?.indicator.kind === 'events' ? slo.indicator.gateway : null;
    const now = snapshot();
    if (gateway?.kind !== 'availability' || now === null) return [];
    const sum = (name: string, labels: Readonly<Record<string, string>>): number =>
      series.counter({ name, labels }).total(fromMs, toMs);
    const byClass = (name: string, labels: Readonly<Record<string, string>>): { bad: number; total: number } => {
      const counts = classes.map((code) => sum(name, { ...labels, code_class: code }));
      return { bad: counts[4] ?? 0, total: counts.reduce((all, each) => all + each, 0) };
    };
    const { service, route } = gateway.requests;
    const routes = now.routes.filter(
      (each) => serviceNameOf(now, each) === service && (route === null || each.name === route),
    );
    const byRoute = routes.map(({ name }): Contribution => {
      const labels = { route: name, service };
      const { bad, total } = byClass('spillway_requests_total', labels);
      return { kind: 'route', name, bad: bad + sum('spillway_requests_broken_total', labels), total };
    });
    if (which === 'routes') return byRoute;
    const endpoints = now.services.find(({ name }) => name === service)?.endpoints ?? [];
    const byEndpoint = endpoints.map(({ id: endpoint }): Contribution => {
      return {
        kind: 'endpoint',
        name: endpoint,
        ...byClass('spillway_endpoint_requests_total', { service, endpoint }),
      };
    });
    return [...byRoute, ...byEndpoint];
  };
}

/** Wall time of the first failures that led to an alert; null if it is not known, or longer ago than its window. */
export function beganMs(
  contributions: Contributions,
  { id, objective }: Pick<SloStatus, 'id' | 'objective'>,
  { sinceMs, longS }: { readonly sinceMs: number; readonly longS: number },
): number | null {
  const steps = Math.min(STEPS_MAX, Math.ceil((longS * 1000) / STEP_MS));
  // The second in which it came is counted as a whole.
  const lastMs = (Math.floor(sinceMs / 1000) + 1) * 1000;
  let began: number | null = null;
  let calm = 0;
  for (let step = 0; step < steps && calm < CALM_STEPS; step += 1) {
    const toMs = lastMs - step * STEP_MS;
    const span = { fromMs: toMs - STEP_MS, toMs };
    const routes = contributions(id, span, 'routes').filter(({ kind }) => kind === 'route');
    const [bad, total] = [
      routes.reduce((all, each) => all + each.bad, 0),
      routes.reduce((all, each) => all + each.total, 0),
    ];
    const fails = total > 0 && bad / total > errorBudget({ objective });
    calm = fails ? 0 : calm + 1;
    if (fails) began = span.fromMs;
  }
  return calm < CALM_STEPS ? null : began;
}
