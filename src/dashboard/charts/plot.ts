/**
 * What all charts have around their canvas: the heading, the numbers at the moment that is pointed at, changes in words, keys, and the table.
 *
 * A chart is a slider along its time: arrow keys, Page Up and Down, Home and End move the crosshair of all charts, Escape lets go of it, and
 * the values there are read out; Enter opens what stands there as a dot. What is drawn is a function of the element, so that lines and heat maps share all of this.
 */
import { useSignalEffect } from '@preact/signals';
import { type ComponentChildren, h } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { theme } from '../theme.ts';
import type { View } from '../view.ts';
import { ChartTable } from './chart-table.ts';
import { crosshair } from './crosshair.ts';
import { type Unit, valueText } from './format.ts';
import {
  type ChartData, type ChartLine, dotAt, type Mark, marksIn, newestWhole, stepAfterKey, stepAt, stepSentence, stepTimeText,
} from './reading.ts'; // prettier-ignore

/** What draws, for as long as its element is there. */
export interface Drawing<Data> {
  set(data: Data, marks: readonly Mark[]): void;
  point(step: number | null): void;
  recolour(): void;
  [Symbol.dispose](): void;
}

export interface PlotProps<Data extends ChartData> {
  readonly title: string;
  readonly unit: Unit;
  readonly lines: readonly ChartLine[];
  readonly data: Data;
  readonly marks: readonly Mark[];
  readonly height: number;
  /** Beside the title. */
  readonly note?: ComponentChildren;
  /** Made once, and anew when `drawnBy` changes. */
  readonly draw: (host: HTMLElement, onStep: (step: number | null) => void) => Drawing<Data>;
  readonly drawnBy: string;
  /** Instead of a legend that has a colour for each line. */
  readonly legend?: (step: number) => ComponentChildren;
}

export function Plot<Data extends ChartData>(props: PlotProps<Data>): View {
  const { title, lines, data, marks, unit, note, legend } = props;
  const [isTable, setTable] = useState(false);
  const pointed = crosshair.value;
  const step = pointed === null ? newestWhole(data) : stepAt(data, pointed);
  return h('figure', { class: 'chart' }, [
    h('figcaption', {}, [
      h('h2', {}, title),
      note,
      h('span', { class: 'legend', 'aria-hidden': 'true' }, [
        h('time', {}, stepTimeText(data, step)),
        legend?.(step) ?? lines.map((line, at) => legendItem(line, valueText(unit, data.columns[at]?.[step] ?? null))),
        step === data.partial ? h('span', { class: 'soft' }, 'so far') : null,
        (data.dots ?? []).length === 0 ? null : h('span', { class: 'dot-key' }, [h('i', {}), 'a trace: click to open']),
      ]),
      h('button', { class: 'quiet', 'aria-pressed': isTable, onClick: () => setTable(!isTable) }, isTable ? 'Chart' : 'Table'),
    ]),
    isTable
      ? h(ChartTable, { title, labels: lines.map(({ label }) => label), data, unit })
      : h(Canvas<Data>, { ...props, step }),
    h('span', { class: 'marks', 'aria-hidden': 'true' }, pointed === null ? '' : marksIn(marks, data, step).map(({ what }) => what).join(' ')),
  ]); // prettier-ignore
}

function legendItem({ label, color }: ChartLine, value: string): View {
  return h('span', { key: label }, [
    h('i', { style: { background: `var(${color})` } }),
    `${label} `,
    h('b', {}, value),
  ]);
}

function Canvas<Data extends ChartData>(props: PlotProps<Data> & { readonly step: number }): View {
  const { title, lines, data, marks, unit, height, step } = props;
  const host = useRef<HTMLDivElement>(null);
  const drawing = useRef<Drawing<Data> | null>(null);
  const newest = useRef(data);
  newest.current = data;
  const points = useRef(false);
  const point = (step: number | null): void => {
    crosshair.value = step === null ? null : (newest.current.times[step] ?? null);
    points.current = crosshair.value !== null;
  };
  // No pointer leaves what has gone from under it.
  useLayoutEffect(() => () => void (points.current && point(null)), []);

  useEffect(() => {
    const made = props.draw(host.current!, point);
    drawing.current = made;
    const dark = window.matchMedia('(prefers-color-scheme: dark)');
    const recolour = (): void => made.recolour();
    dark.addEventListener('change', recolour);
    return () => {
      dark.removeEventListener('change', recolour);
      made[Symbol.dispose]();
      drawing.current = null;
    };
  }, [props.drawnBy]);
  useEffect(() => drawing.current?.set(data, marks), [data, marks, props.drawnBy]);
  useSignalEffect(() => {
    void theme.value;
    drawing.current?.recolour();
  });
  useSignalEffect(() => {
    const atMs = crosshair.value;
    drawing.current?.point(atMs === null ? null : stepAt(newest.current, atMs));
  });

  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const to = stepAfterKey(event.key, step, data.times.length);
    const dot = event.key === 'Enter' ? dotAt(data, step) : null;
    if (event.key === 'Escape') point(null);
    else if (dot !== null) window.location.assign(dot.href);
    else if (to !== null) point(to);
    else return;
    event.preventDefault();
  };
  return h('div', {
    ref: host,
    class: 'plot',
    style: { height: `${height}px` },
    tabIndex: 0,
    role: 'slider',
    'aria-label': `${title}, over time`,
    'aria-valuemin': 0,
    'aria-valuemax': Math.max(0, data.times.length - 1),
    'aria-valuenow': Math.max(0, step),
    'aria-valuetext': stepSentence(data, step, { unit, lines, marks }),
    onKeyDown,
    onBlur: () => point(null),
  });
}
