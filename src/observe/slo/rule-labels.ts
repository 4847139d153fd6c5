/** The labels by which rules, alerts and dashboards know an objective: ours, or Sloth's, for boards that were made for it. Pure. */
import { sloId, type Slo } from './objective.ts';

export type LabelStyle = 'spillway' | 'sloth';

export interface LabelNames {
  readonly id: string;
  readonly service: string;
  readonly slo: string;
  readonly window: string;
  /** When the period of a calendar began, in seconds. */
  readonly period: string;
  /** A series with value 1 and what is known of an objective as labels. */
  readonly info: string;
}

export const labelNames: Readonly<Record<LabelStyle, LabelNames>> = {
  spillway: {
    id: 'slo_id',
    service: 'slo_service',
    slo: 'slo_name',
    window: 'slo_window',
    period: 'slo_period',
    info: 'slo_info',
  },
  sloth: {
    id: 'sloth_id',
    service: 'sloth_service',
    slo: 'sloth_slo',
    window: 'sloth_window',
    period: 'sloth_period',
    info: 'sloth_slo_info',
  },
};

export type RuleLabels = Readonly<Record<string, string>>;

/** On every rule of an objective. */
export function idLabels(slo: Slo, names: LabelNames): RuleLabels {
  return { [names.id]: sloId(slo), [names.service]: slo.service, [names.slo]: slo.name };
}
