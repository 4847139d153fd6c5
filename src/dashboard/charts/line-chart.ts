/** A chart of lines over time, with all that `plot.ts` puts around it. */
import { type ComponentChildren, h } from 'preact';
import type { View } from '../view.ts';
import type { Unit } from './format.ts';
import { Plot } from './plot.ts';
import type { ChartData, ChartLine, Mark } from './reading.ts';
import { TimeChart } from './time-chart.ts';

export interface LineChartProps {
  readonly title: string;
  readonly unit: Unit;
  /** @defaultValue linear, from zero */
  readonly axis?: 'linear' | 'log';
  /** The same array each time: they are what the chart is made of. */
  readonly lines: readonly ChartLine[];
  readonly data: ChartData;
  readonly marks: readonly Mark[];
  readonly height?: number;
  readonly band?: readonly [upper: number, lower: number];
  readonly least?: number;
  readonly note?: ComponentChildren;
}

export function LineChart({ axis = 'linear', height = 150, band, least, ...rest }: LineChartProps): View {
  const { unit, lines } = rest;
  return h(Plot<ChartData>, {
    ...rest,
    height,
    drawnBy: [axis, unit, height, least, ...lines.map(({ label }) => label)].join(' '),
    draw: (host, onStep) =>
      new TimeChart(host, {
        unit, axis, lines, height, onStep,
        ...(band === undefined ? {} : { band }),
        ...(least === undefined ? {} : { least }),
      }), // prettier-ignore
  });
}
