/**
 * Lines over time on a canvas, by uPlot: made once, then only given new data. Knows nothing of the page around it.
 *
 * The step that is not over is veiled, because what it shows will still change. Changes are lines across the chart at their moments.
 * Colours are read from the style sheet and read again by `recolour`, so light and dark are decided in one place.
 * Cost: 3,600 points of four lines are drawn in some milliseconds; one canvas, and nothing that grows.
 */
import UPlot from 'uplot';
import { colorOf } from './color.ts';
import { Dots } from './dots.ts';
import { type Unit, tickText } from './format.ts';
import { logAxis, logTicks } from './log-axis.ts';
import type { ChartData, ChartLine, Mark } from './reading.ts';
import { timeTicks } from './time-ticks.ts';

export interface TimeChartOptions {
  readonly unit: Unit;
  /** `log` for durations. `linear` begins at zero. */
  readonly axis: 'linear' | 'log';
  readonly lines: readonly ChartLine[];
  readonly height: number;
  /** Lines between which it is filled: a cone. */
  readonly band?: readonly [upper: number, lower: number];
  /** The greatest value the axis has at least. */
  readonly least?: number;
  /** The step under the pointer; null: it left. */
  readonly onStep: (step: number | null) => void;
}

/** The same on all charts, so that moments stand under one another. */
export const gutterPx = { left: 62, right: 14, top: 8, bottom: 22 };

const nothing: ChartData = { times: [], stepMs: 1000, columns: [], partial: -1 };

export class TimeChart {
  readonly #host: HTMLElement;
  readonly #options: TimeChartOptions;
  readonly #plot: UPlot;
  readonly #dots: Dots;
  readonly #resizing: ResizeObserver;
  #data = nothing;
  #marks: readonly Mark[] = [];
  /** The cursor is being set by us, not by the pointer. */
  #isSetting = false;

  constructor(host: HTMLElement, options: TimeChartOptions) {
    this.#host = host;
    this.#options = options;
    this.#plot = new UPlot(this.#plotOptions(), this.#aligned(), host);
    this.#dots = new Dots(this.#plot.over);
    this.#resizing = new ResizeObserver(() => {
      const { clientWidth: width } = host;
      if (width > 0 && width !== this.#plot.width) this.#plot.setSize({ width, height: options.height });
    });
    this.#resizing.observe(host);
  }

  set(data: ChartData, marks: readonly Mark[]): void {
    this.#data = data;
    this.#marks = marks;
    this.#plot.setData(this.#aligned());
  }

  /** Puts the cursor on a step; null takes it away. */
  point(step: number | null): void {
    const at = step === null ? undefined : this.#data.times[step];
    this.#isSetting = true;
    const left = at === undefined ? -10 : this.#plot.valToPos(at + this.#data.stepMs / 2, 'x');
    this.#plot.setCursor({ left, top: at === undefined ? -10 : 0 }, false);
    this.#isSetting = false;
  }

  recolour(): void {
    this.#plot.redraw(false, false);
  }

  [Symbol.dispose](): void {
    this.#resizing.disconnect();
    this.#plot.destroy();
  }

  #color(variable: string): string {
    return colorOf(this.#host, variable);
  }

  /** Values are drawn in the middle of their step. What is no number on this axis is a gap. */
  #aligned(): UPlot.AlignedData {
    const { times, stepMs, columns } = this.#data;
    const least = this.#options.axis === 'log' ? Number.MIN_VALUE : Number.NEGATIVE_INFINITY;
    const drawn = (value: number | null): number | null =>
      value !== null && Number.isFinite(value) && value >= least ? value : null;
    return [
      times.map((at) => at + stepMs / 2),
      ...this.#options.lines.map((_, line) => (columns[line] ?? []).map(drawn)),
    ];
  }

  #plotOptions(): UPlot.Options {
    const { lines, height, axis, unit, band } = this.#options;
    const font = '11px system-ui, sans-serif';
    const stroke = () => this.#color('--dim');
    const grid = { stroke: () => this.#color('--line'), width: 1 };
    const ticks = { show: false };
    return {
      width: Math.max(this.#host.clientWidth, 100),
      height,
      ms: 1,
      padding: [gutterPx.top, gutterPx.right, 0, 0],
      legend: { show: false },
      cursor: {
        y: false, drag: { x: false, y: false }, points: { size: 6 }, sync: undefined as never,
        // Over a dot too, and not over the bare chart alone.
        bind: { mousemove: (_plot, _over, move) => (event) => move(event) },
      },
      scales: {
        x: { time: true, range: () => this.#timeRange() },
        y: {
          // WHY: its names are there for the compiler only; 3 is logarithmic.
          // oxlint-disable-next-line typescript/no-unsafe-enum-assignment
          distr: axis === 'log' ? 3 : 1,
          range: (_plot, min, max) => this.#valueRange(min, max) },
      },
      axes: [
        {
          stroke, font, grid: { show: false }, ticks, size: gutterPx.bottom, gap: 4,
          splits: (plot) => timeTicks(...this.#timeRange(), plot.width - gutterPx.left - gutterPx.right).map(({ atMs }) => atMs),
          values: (plot) => timeTicks(...this.#timeRange(), plot.width - gutterPx.left - gutterPx.right).map(({ text }) => text),
        },
        {
          stroke, font, grid, ticks, size: gutterPx.left, gap: 6,
          ...(axis === 'log'
            ? {
                splits: (_plot: UPlot, _axis: number, min: number, max: number) => this.#logSplits(min, max),
                filter: (_plot: UPlot, splits: number[]) => splits,
              }
            : {}),
          values: (_plot, splits) => splits.map((value) => tickText(unit, value)),
        },
      ],
      series: [
        {},
        ...lines.map(({ color, dash, filled }): UPlot.Series => ({
          stroke: () => this.#color(color),
          width: 1.5,
          points: { show: false },
          ...(dash === true ? { dash: [4, 3] } : {}),
          ...(filled === true ? { fill: () => `color-mix(in srgb, ${this.#color(color)} 18%, transparent)` } : {}),
        })),
      ],
      ...(band === undefined
        ? {}
        : { bands: [{ series: [band[0] + 1, band[1] + 1], fill: () => `color-mix(in srgb, ${this.#color(lines[band[0]]!.color)} 14%, transparent)` }] }),
      hooks: {
        draw: [(plot) => this.#drawOver(plot), () => this.#placeDots()],
        setCursor: [
          ({ cursor }) => {
            if (!this.#isSetting) this.#options.onStep((cursor.left ?? -1) < 0 ? null : (cursor.idx ?? null));
          },
        ],
      },
    }; // prettier-ignore
  }

  /** uPlot draws a little later than it is told to, but never before it is made. */
  #placeDots(): void {
    const [from, to] = this.#timeRange();
    this.#dots.place(this.#data.dots ?? [], ({ atMs, value }) => {
      // A duration of nothing is at the end of its axis.
      const y = this.#plot.valToPos(value > 0 ? value : this.#plot.scales['y']!.min!, 'y');
      return atMs >= from && atMs <= to ? [this.#plot.valToPos(atMs, 'x'), y] : null;
    });
  }

  #timeRange(): [number, number] {
    const { times, stepMs } = this.#data;
    return times.length === 0 ? [0, 1] : [times[0]!, times.at(-1)! + stepMs];
  }

  #valueRange(min: number | null, max: number | null): [number, number] {
    const { axis, least = 0 } = this.#options;
    if (axis === 'linear') return [Math.min(0, min ?? 0), Math.max(least, (max ?? 0) * 1.08) || 1];
    const dots = (this.#data.dots ?? []).map(({ value }) => value).filter((value) => value > 0);
    const ends = [...(min === null || max === null ? [] : [min, max]), ...dots];
    const { min: from, max: to } = ends.length === 0 ? logAxis(1, 10) : logAxis(Math.min(...ends), Math.max(...ends));
    return [from, to];
  }

  /** Whole decades only, where there is no room for more. */
  #logSplits(min: number, max: number): number[] {
    const splits = logTicks({ min, max });
    const rows = (this.#options.height - gutterPx.bottom) / 18;
    const decades = splits.filter((value) => Number.isInteger(Math.round(Math.log10(value) * 1e6) / 1e6));
    return splits.length <= rows || decades.length < 2 ? splits : decades;
  }

  #drawOver(plot: UPlot): void {
    const { ctx, bbox } = plot;
    const { times, stepMs, partial } = this.#data;
    const ratio = window.devicePixelRatio;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    const unfinished = times[partial];
    if (unfinished !== undefined) {
      const left = plot.valToPos(unfinished, 'x', true);
      ctx.fillStyle = `color-mix(in srgb, ${this.#color('--panel')} 60%, transparent)`;
      ctx.fillRect(left, bbox.top, plot.valToPos(unfinished + stepMs, 'x', true) - left, bbox.height);
    }
    ctx.fillStyle = ctx.strokeStyle = this.#color('--mark');
    ctx.lineWidth = ratio;
    ctx.setLineDash([3 * ratio, 3 * ratio]);
    const [from, to] = this.#timeRange();
    for (const { atMs } of this.#marks) {
      if (atMs < from || atMs > to) continue;
      const x = Math.round(plot.valToPos(atMs, 'x', true));
      ctx.beginPath();
      ctx.moveTo(x + ratio / 2, bbox.top);
      ctx.lineTo(x + ratio / 2, bbox.top + bbox.height);
      ctx.stroke();
      ctx.beginPath();
      ctx.moveTo(x - 4 * ratio, bbox.top);
      ctx.lineTo(x + 5 * ratio, bbox.top);
      ctx.lineTo(x + ratio / 2, bbox.top + 6 * ratio);
      ctx.fill();
    }
    ctx.restore();
  }
}
