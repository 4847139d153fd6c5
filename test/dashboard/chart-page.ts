/** The page that charts are tested in: one of each, given its data by the test. Bundled by `chart-host.ts`. */
import { signal } from '@preact/signals';
import { h, render } from 'preact';
import { BulletBars } from '../../src/dashboard/charts/bullet-bars.ts';
import { HeatMap, type HeatMapProps } from '../../src/dashboard/charts/heat-map.ts';
import { LineChart, type LineChartProps } from '../../src/dashboard/charts/line-chart.ts';
import { traceOf, Waterfall } from '../../src/dashboard/charts/waterfall.ts';
import type { SloStatus } from '../../src/observe/slo/live/status.ts';
import type { SpanRecord } from '../../src/observe/trace/span-record.ts';

export interface Shown {
  readonly lines?: readonly LineChartProps[];
  readonly heat?: HeatMapProps;
  readonly spans?: readonly SpanRecord[];
  readonly slo?: SloStatus;
}

const shown = signal<Shown>({});
const chosen = signal(0);

function Page() {
  const { lines = [], heat, spans, slo } = shown.value;
  const panel = (id: string, inside: unknown) => h('section', { class: 'panel', id }, inside as never);
  return h('main', {}, [
    h('div', { class: 'screen' }, [
      ...lines.map((props, at) => panel(`lines-${at}`, h(LineChart, props))),
      heat === undefined ? null : panel('heat', h(HeatMap, heat)),
      spans === undefined ? null : panel('trace', h(Trace, { spans })),
      slo === undefined ? null : panel('slo', h(BulletBars, { status: slo })),
    ]),
  ]);
}

function Trace({ spans }: { readonly spans: readonly SpanRecord[] }) {
  return h(Waterfall, { trace: traceOf(spans), chosen: chosen.value, onChoose: (row) => void (chosen.value = row) });
}

render(h(Page, {}), document.getElementById('app')!);
Object.assign(window, { show: (next: Shown) => void (shown.value = next), chosen: () => chosen.value });
