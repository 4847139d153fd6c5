/**
 * Grafana dashboards (the classic model, schema 39), one for a service and one over all: what is left of each budget, how fast it
 * goes, which windows are above their thresholds. Pure; they read nothing but what the rules record.
 */
import { burnAlerts } from './burn-alerts.ts';
import { sloId, type Slo, type SloFile } from './objective.ts';
import { promDuration, quoted } from './promql.ts';
import type { LabelNames } from './rule-labels.ts';
import { shareRecord } from './rules.ts';

const SCHEMA_VERSION = 39;
/** A row of Grafana is 24 wide. */
const WIDTH = 24;
const datasource = { type: 'prometheus', uid: '${datasource}' };

interface Query {
  readonly expr: string;
  readonly legendFormat: string;
  readonly instant?: boolean;
}

interface PanelPlan {
  readonly title: string;
  readonly type: 'stat' | 'timeseries' | 'table' | 'bargauge';
  readonly unit: string;
  readonly width: number;
  readonly height: number;
  readonly queries: readonly Query[];
  /** Value and colour, from the least; the first holds from the beginning. */
  readonly steps?: readonly (readonly [value: number | null, colour: string])[];
  readonly max?: number;
}

const left = [
  [null, 'red'],
  [0, 'orange'],
  [0.25, 'yellow'],
  [0.5, 'green'],
] as const;

export function serviceDashboard({ service, slos }: SloFile, names: LabelNames, description: string): object {
  const plans = slos.flatMap((slo) => sloPanels(slo, names));
  return dashboard({ uid: uidOf(`slo-${service}`), title: `SLO: ${service}`, description, plans });
}

function sloPanels(slo: Slo, names: LabelNames): readonly PanelPlan[] {
  const own = `{${names.id}=${quoted(sloId(slo))}}`;
  const stat = (title: string, expr: string, unit: string, more: Partial<PanelPlan> = {}): PanelPlan => {
    const queries = [{ expr, legendFormat: title, instant: true }];
    return { title: `${slo.name}: ${title}`, type: 'stat', unit, width: 6, height: 5, queries, ...more };
  };
  const windows = burnAlerts(slo);
  return [
    stat('objective', `slo:objective:ratio${own}`, 'percentunit'),
    stat('budget left', `slo:period_error_budget_remaining:ratio${own}`, 'percentunit', { steps: left }),
    stat('burn rate now', `slo:current_burn_rate:ratio${own}`, 'none', {
      steps: [
        [null, 'green'],
        [1, 'yellow'],
        [6, 'red'],
      ],
    }),
    slo.sla === null
      ? stat('alerts on', `count(ALERTS${own.replace('{', '{alertstate="firing",')}) or vector(0)`, 'none')
      : stat('SLA budget left', `slo:sla_error_budget_remaining:ratio${own}`, 'percentunit', { steps: left }),
    {
      title: `${slo.name}: budget left over time`,
      type: 'timeseries',
      unit: 'percentunit',
      width: 12,
      height: 8,
      queries: [{ expr: `slo:period_error_budget_remaining:ratio${own}`, legendFormat: 'left' }],
      steps: left,
      max: 1,
    },
    {
      title: `${slo.name}: share of the way to each alert`,
      type: 'timeseries',
      unit: 'percentunit',
      width: 12,
      height: 8,
      queries: windows
        .filter(({ reachable }) => reachable)
        .map(({ burn, longS, threshold }) => ({
          expr: `${shareRecord(longS)}${own} / ${threshold}`,
          legendFormat: `${burn}× over ${promDuration(longS)}`,
        })),
      steps: [
        [null, 'green'],
        [1, 'red'],
      ],
    },
  ];
}

export function overviewDashboard(names: LabelNames, description: string): object {
  const legendFormat = `{{${names.service}}} / {{${names.slo}}}`;
  const remaining = 'slo:period_error_budget_remaining:ratio';
  const plans: readonly PanelPlan[] = [
    {
      title: 'Budget left, the least first',
      type: 'bargauge',
      unit: 'percentunit',
      width: 12,
      height: 14,
      queries: [{ expr: `sort(${remaining})`, legendFormat, instant: true }],
      steps: left,
      max: 1,
    },
    {
      title: 'Alerts that are on',
      type: 'table',
      unit: 'none',
      width: 12,
      height: 7,
      queries: [{ expr: `ALERTS{alertstate="firing", ${names.id}=~".+"}`, legendFormat, instant: true }],
    },
    {
      title: 'Burn rate now, the ten fastest',
      type: 'bargauge',
      unit: 'none',
      width: 12,
      height: 7,
      queries: [{ expr: 'topk(10, slo:current_burn_rate:ratio)', legendFormat, instant: true }],
      steps: [
        [null, 'green'],
        [1, 'yellow'],
        [6, 'red'],
      ],
    },
    {
      title: 'Budget left over time',
      type: 'timeseries',
      unit: 'percentunit',
      width: WIDTH,
      height: 9,
      queries: [{ expr: remaining, legendFormat }],
      max: 1,
    },
  ];
  return dashboard({ uid: 'slo-overview', title: 'SLO: all services', description, plans });
}

interface DashboardPlan {
  readonly uid: string;
  readonly title: string;
  readonly description: string;
  readonly plans: readonly PanelPlan[];
}

function dashboard({ uid, title, description, plans }: DashboardPlan): object {
  return {
    uid,
    title,
    description,
    tags: ['slo', 'spillway'],
    schemaVersion: SCHEMA_VERSION,
    version: 1,
    editable: true,
    refresh: '1m',
    time: { from: 'now-7d', to: 'now' },
    templating: {
      list: [
        { name: 'datasource', label: 'Prometheus', type: 'datasource', query: 'prometheus', current: {}, hide: 0 },
      ],
    },
    panels: placed(plans),
  };
}

/** In rows, from the left, a row as high as its highest. */
function placed(plans: readonly PanelPlan[]): readonly object[] {
  let [x, y, height] = [0, 0, 0];
  return plans.map((plan, index) => {
    if (x + plan.width > WIDTH) [x, y, height] = [0, y + height, 0];
    const gridPos = { x, y, w: plan.width, h: plan.height };
    x += plan.width;
    height = Math.max(height, plan.height);
    return panel(plan, index + 1, gridPos);
  });
}

function panel({ title, type, unit, queries, steps, max }: PanelPlan, id: number, gridPos: object): object {
  const thresholds = (steps ?? [[null, 'green']]).map(([value, color]) => ({ value, color }));
  return {
    id,
    title,
    type,
    gridPos,
    datasource,
    fieldConfig: {
      defaults: {
        unit,
        ...(max === undefined ? {} : { max }),
        color: { mode: type === 'timeseries' ? 'palette-classic' : 'thresholds' },
        thresholds: { mode: 'absolute', steps: thresholds },
      },
      overrides: [],
    },
    options: {},
    targets: queries.map(({ expr, legendFormat, instant = false }, at) => ({
      refId: String.fromCharCode(65 + at),
      datasource,
      expr,
      legendFormat,
      instant,
      range: !instant,
      ...(type === 'table' ? { format: 'table' } : {}),
    })),
  };
}

/** Grafana allows 40 characters. A longer name keeps its beginning and gets a number made of the whole. */
function uidOf(name: string): string {
  const text = name.replaceAll(/[^A-Za-z0-9_-]/g, '-');
  if (text === name && text.length <= 40) return text;
  let hash = 0;
  for (const sign of name) hash = (Math.imul(hash, 31) + (sign.codePointAt(0) ?? 0)) >>> 0;
  return `${text.slice(0, 31)}-${hash.toString(36)}`;
}
