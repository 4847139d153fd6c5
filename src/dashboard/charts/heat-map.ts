/**
 * A latency heat map on a canvas: a column for each step of time, a row for each range of durations, on a log axis; darker by day or lighter by
 * night is more. Painted as one small image that is drawn large, so a thousand columns cost a millisecond.
 */
import { h } from 'preact';
import type { View } from '../view.ts';
import { colorOf } from './color.ts';
import { Dots } from './dots.ts';
import { shareText, tickText } from './format.ts';
import { heatAxis, heatBands, heatCells, type SparseStep } from './heat-cells.ts';
import { heatLevel, heatRamp, heatStops } from './heat-colors.ts';
import { type LogAxis, logPosition, logTicks } from './log-axis.ts';
import { type Drawing, Plot } from './plot.ts';
import type { ChartData, ChartLine, Dot, Mark } from './reading.ts';
import { timeTicks } from './time-ticks.ts';
import { gutterPx } from './time-chart.ts';

const HEIGHT = 190;
const ROW_PX = 3;
const LEVELS = 64;

interface HeatData extends ChartData {
  readonly bounds: ArrayLike<number>;
  readonly steps: readonly SparseStep[];
  readonly axis: LogAxis | null;
}

export interface HeatMapProps {
  readonly title: string;
  readonly times: readonly number[];
  readonly stepMs: number;
  readonly partial: number;
  /** Upper bounds in ms; the last is +Infinity. */
  readonly bounds: ArrayLike<number>;
  readonly steps: readonly SparseStep[];
  readonly marks: readonly Mark[];
  readonly dots?: readonly Dot[];
}

export function HeatMap({ title, marks, times, stepMs, partial, bounds, steps, dots }: HeatMapProps): View {
  const axis = heatAxis(bounds, steps);
  const ticks = axis === null ? [] : logTicks(axis).slice(1);
  const columns = heatBands(bounds, steps, ticks);
  const lines = ticks.map((tick): ChartLine => ({ label: `≤ ${tickText('duration', tick)}`, color: '--line-rate' }));
  const data: HeatData = { times, stepMs, partial, columns, bounds, steps, axis, ...(dots && { dots }) };
  return h(Plot<HeatData>, {
    title, marks, data, lines,
    unit: 'count',
    height: HEIGHT,
    drawnBy: 'heat',
    draw: (host, onStep) => new HeatDrawing(host, onStep),
    legend: (step) => h('span', {}, bandsText(columns, ticks, step)),
  }); // prettier-ignore
}

/** The band in which most are: `most 2 ms to 5 ms (64.0 %)`. */
function bandsText(columns: readonly (readonly (number | null)[])[], ticks: readonly number[], step: number): string {
  const counts = columns.map((band) => band[step] ?? 0);
  const all = counts.reduce((sum, count) => sum + count, 0);
  if (all === 0) return 'no answers';
  const most = counts.indexOf(Math.max(...counts));
  const from = most === 0 ? '' : `${tickText('duration', ticks[most - 1]!)} to `;
  return `most ${from}${tickText('duration', ticks[most]!)} (${shareText(counts[most]! / all)})`;
}

class HeatDrawing implements Drawing<HeatData> {
  readonly #host: HTMLElement;
  readonly #canvas = document.createElement('canvas');
  readonly #image = document.createElement('canvas');
  readonly #cross = document.createElement('div');
  readonly #dots: Dots;
  readonly #resizing: ResizeObserver;
  readonly #ending = new AbortController();
  #data: HeatData | null = null;
  #marks: readonly Mark[] = [];

  constructor(host: HTMLElement, onStep: (step: number | null) => void) {
    this.#host = host;
    this.#cross.className = 'cross';
    this.#cross.hidden = true;
    host.append(this.#canvas, this.#cross);
    this.#dots = new Dots(host);
    this.#resizing = new ResizeObserver(() => this.recolour());
    this.#resizing.observe(host);
    const leave = (): void => onStep(null);
    const move = ({ clientX }: PointerEvent): void =>
      onStep(this.#stepUnder(clientX - host.getBoundingClientRect().left));
    const { signal } = this.#ending;
    host.addEventListener('pointermove', move, { signal });
    host.addEventListener('pointerleave', leave, { signal });
  }

  set(data: HeatData, marks: readonly Mark[]): void {
    this.#data = data;
    this.#marks = marks;
    this.recolour();
  }

  point(step: number | null): void {
    const columns = this.#data?.times.length ?? 0;
    this.#cross.hidden = step === null || columns === 0;
    if (step === null) return;
    const { style } = this.#cross;
    style.left = `${gutterPx.left + ((step + 0.5) / columns) * this.#widthPx()}px`;
    style.top = `${gutterPx.top}px`;
    style.height = `${HEIGHT - gutterPx.top - gutterPx.bottom}px`;
  }

  recolour(): void {
    const { clientWidth: width } = this.#host;
    const ratio = window.devicePixelRatio;
    const canvas = this.#canvas;
    if (width === 0) return;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(HEIGHT * ratio);
    canvas.style.width = `${width}px`;
    canvas.style.height = `${HEIGHT}px`;
    const context = canvas.getContext('2d')!;
    context.scale(ratio, ratio);
    this.#paint(context);
  }

  [Symbol.dispose](): void {
    this.#resizing.disconnect();
    this.#ending.abort();
    this.#canvas.remove();
    this.#cross.remove();
    this.#dots[Symbol.dispose]();
  }

  #widthPx(): number {
    return Math.max(1, this.#host.clientWidth - gutterPx.left - gutterPx.right);
  }

  #stepUnder(x: number): number | null {
    const columns = this.#data?.times.length ?? 0;
    const at = Math.floor(((x - gutterPx.left) / this.#widthPx()) * columns);
    return at >= 0 && at < columns ? at : null;
  }

  #paint(context: CanvasRenderingContext2D): void {
    const data = this.#data;
    if (!data?.axis) return;
    const { axis, times, stepMs, partial } = data;
    const color = (variable: string): string => colorOf(this.#host, variable);
    const [left, top, width] = [gutterPx.left, gutterPx.top, this.#widthPx()];
    const height = HEIGHT - top - gutterPx.bottom;
    const rows = Math.floor(height / ROW_PX);
    this.#paintCells(data, rows, isDark(color('--panel')));
    context.imageSmoothingEnabled = false;
    context.drawImage(this.#image, left, top, width, height);

    const columnPx = width / times.length;
    if (partial >= 0) {
      context.globalAlpha = 0.6;
      context.fillStyle = color('--panel');
      context.fillRect(left + partial * columnPx, top, columnPx, height);
      context.globalAlpha = 1;
    }
    context.font = '11px system-ui, sans-serif';
    context.fillStyle = color('--dim');
    context.strokeStyle = color('--line');
    context.textAlign = 'right';
    context.textBaseline = 'middle';
    const yOf = (value: number): number => top + (1 - logPosition(axis, value)) * height;
    const ticks = logTicks(axis);
    for (const tick of ticks) {
      const y = yOf(tick);
      const isDecade = Math.abs(Math.log10(tick) - Math.round(Math.log10(tick))) < 1e-9;
      if (!isDecade && ticks.length * 16 > height) continue;
      context.fillText(tickText('duration', tick), left - 8, y);
      context.fillRect(left - 4, y, 4, 1);
    }
    context.textAlign = 'center';
    context.textBaseline = 'top';
    const span = times.length * stepMs;
    for (const { atMs, text } of timeTicks(times[0]!, times[0]! + span, width)) {
      context.fillText(text, left + ((atMs - times[0]!) / span) * width, top + height + 6);
    }
    this.#dots.place(data.dots ?? [], ({ atMs, value }) => {
      const x = left + ((atMs - times[0]!) / span) * width;
      return x >= left && x <= left + width ? [x, yOf(value)] : null;
    });
    context.fillStyle = color('--mark');
    for (const { atMs } of this.#marks) {
      const x = left + ((atMs - times[0]!) / span) * width;
      if (x >= left && x <= left + width) context.fillRect(Math.round(x), top, 1, height);
    }
  }

  #paintCells({ bounds, steps, axis }: HeatData, rows: number, dark: boolean): void {
    const { cells, most } = heatCells(bounds, steps, axis!, rows);
    const ramp = heatRamp(heatStops[dark ? 'dark' : 'light'], LEVELS);
    const image = new ImageData(Math.max(1, steps.length), rows);
    for (let column = 0; column < steps.length; column++) {
      for (let row = 0; row < rows; row++) {
        const count = cells[column * rows + row]!;
        if (count === 0) continue;
        const level = heatLevel(count, most, LEVELS) * 3;
        image.data.set(
          [ramp[level]!, ramp[level + 1]!, ramp[level + 2]!, 255],
          ((rows - 1 - row) * steps.length + column) * 4,
        );
      }
    }
    this.#image.width = image.width;
    this.#image.height = rows;
    this.#image.getContext('2d')!.putImageData(image, 0, 0);
  }
}

/** By the ground that it is on, which the style sheet decides. */
function isDark(ground: string): boolean {
  const [red = 255, green = 255, blue = 255] = (ground.match(/\d+(?:\.\d+)?/g) ?? []).map(Number);
  return red + green + blue < 384;
}
