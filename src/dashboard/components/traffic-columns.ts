/** The columns that say how much is asked of a row of the balancer's tables, how much of it fails, and how long it takes. */
import { h } from 'preact';
import type { EndpointRow } from '../../gateway/admin/live-model.ts';
import { durationText, rateText, shareText } from '../charts/format.ts';
import { Sparkline } from './sparkline.ts';
import type { Column } from './table.ts';

export interface Traffic extends Pick<EndpointRow, 'p50Ms' | 'p90Ms' | 'p99Ms' | 'p999Ms'> {
  readonly perSecond: number | null;
  readonly errorShare: number | null;
}

/** `lately`: requests in each of the last seconds. */
export function trafficColumns<Row extends Traffic>(lately: (row: Row) => Float32Array | null): readonly Column<Row>[] {
  const latency = (id: 'p50Ms' | 'p90Ms' | 'p99Ms' | 'p999Ms', title: string): Column<Row> => ({
    ...{ id, title, group: 'Latency', help: `${title}, at most 2.2 % off` },
    value: (row) => row[id],
    show: (row) => (row[id] === null ? '–' : durationText(row[id])),
  });
  return [
    {
      ...{ id: 'rate', title: 'Requests', group: 'Traffic' },
      value: ({ perSecond }) => perSecond,
      show: ({ perSecond }) => (perSecond === null ? '–' : rateText(perSecond)),
    },
    {
      ...{ id: 'trend', title: '2 min', group: 'Traffic', help: 'Requests a second in the last two minutes' },
      value: ({ perSecond }) => perSecond,
      show: (row) => h(Sparkline, { values: lately(row) }),
    },
    {
      ...{ id: 'errors', title: 'Errors', group: 'Traffic', help: 'Answers 5xx, in the last half minute' },
      value: ({ errorShare }) => errorShare,
      show: ({ errorShare }) =>
        errorShare === null ? '–' : h('span', { class: errorShare > 0 ? 'bad' : 'dim' }, shareText(errorShare)),
    },
    latency('p50Ms', 'p50'),
    latency('p90Ms', 'p90'),
    latency('p99Ms', 'p99'),
    latency('p999Ms', 'p99.9'),
  ];
}
