/** The table behind a chart: the same numbers as text, the newest first. */
import { h } from 'preact';
import type { View } from '../view.ts';
import type { Unit } from './format.ts';
import { type ChartData, chartRows } from './reading.ts';

export function ChartTable(props: {
  readonly title: string;
  readonly labels: readonly string[];
  readonly data: ChartData;
  readonly unit: Unit;
}): View {
  const { title, labels, data, unit } = props;
  const rows = chartRows(data, unit);
  const hasDots = (data.dots ?? []).length > 0;
  return h('div', { class: 'chart-table', tabIndex: 0, role: 'region', 'aria-label': `${title}, as a table` }, [
    h('table', {}, [
      h('caption', { class: 'unseen' }, title),
      h(
        'thead',
        {},
        h(
          'tr',
          {},
          ['Time', ...labels, ...(hasDots ? ['Trace'] : [])].map((label) =>
            h('th', { key: label, scope: 'col' }, label),
          ),
        ),
      ),
      h(
        'tbody',
        {},
        rows.map(({ atMs, cells: [time, ...values], dot }) =>
          h('tr', { key: atMs }, [
            h('th', { scope: 'row' }, time),
            ...values.map((value, at) => h('td', { key: at }, value)),
            hasDots ? h('td', {}, dot === null ? '' : h('a', { href: dot.href }, dot.what)) : null,
          ]),
        ),
      ),
    ]),
  ]);
}
