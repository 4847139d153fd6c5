/** What `/metrics` says of the objectives that the gateway evaluates. Pure. */
import type { Sample } from '../../observe/prometheus.ts';
import type { SloStatus } from '../../observe/slo/live/status.ts';
import { promDuration } from '../../observe/slo/promql.ts';

export function sloSamples(slos: readonly SloStatus[]): Readonly<Record<string, readonly Sample[]>> {
  return {
    spillway_slo_objective_ratio: slos.map(({ id, objective }) => ({ labels: { slo: id }, value: objective })),
    spillway_slo_error_budget_remaining_ratio: slos.map(({ id, budget }) => ({
      labels: { slo: id },
      value: budget.share,
    })),
    spillway_slo_burn_rate: slos.flatMap(({ id, burn }) =>
      burn.flatMap(({ windowS, value }) =>
        value === null ? [] : [{ labels: { slo: id, window: promDuration(windowS) }, value }],
      ),
    ),
    spillway_slo_alert_firing: slos.flatMap(({ id, alerts }) =>
      alerts.map(({ severity, burn, state }) => ({
        labels: { slo: id, severity, burn: String(burn) },
        value: state === 'firing' ? 1 : 0,
      })),
    ),
  };
}
