/** The last two minutes of a number, or since the page was opened, as a line, without axes: how it goes, beside what it is. Hidden from those who do not see it. */
import { h } from 'preact';
import type { View } from '../view.ts';

export interface SparklineProps {
  /** Oldest first; NaN is a gap. */
  readonly values: ArrayLike<number> | null;
  readonly width?: number;
  readonly height?: number;
  /** Of the line; the lines of a table share one, so that they compare. @defaultValue its own maximum */
  readonly max?: number;
  readonly tone?: 'plain' | 'bad';
}

export function Sparkline({ values, width = 72, height = 16, max, tone = 'plain' }: SparklineProps): View {
  const top = Math.max(max ?? maxOf(values), 1e-9);
  return h(
    'svg',
    { class: `spark ${tone}`, width, height, viewBox: `0 0 ${width} ${height}`, 'aria-hidden': 'true' },
    h('path', { d: pathOf(values ?? [], width, height, top) }),
  );
}

function maxOf(values: ArrayLike<number> | null): number {
  let max = 0;
  for (let at = 0; at < (values?.length ?? 0); at++) if (values![at]! > max) max = values![at]!;
  return max;
}

/** From the first value that is known on: a page that was just opened has few, and they are to be seen. */
function pathOf(values: ArrayLike<number>, width: number, height: number, max: number): string {
  let first = 0;
  while (first < values.length && Number.isNaN(values[first]!)) first++;
  const step = width / Math.max(1, values.length - 1 - first);
  let path = '';
  let isOn = false;
  for (let at = first; at < values.length; at++) {
    const value = values[at]!;
    if (Number.isNaN(value)) {
      isOn = false;
      continue;
    }
    const y = height - 1 - (Math.min(value, max) / max) * (height - 2);
    path += `${isOn ? 'L' : 'M'}${((at - first) * step).toFixed(1)} ${y.toFixed(1)}`;
    isOn = true;
  }
  return path;
}
