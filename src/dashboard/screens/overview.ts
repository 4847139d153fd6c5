/** The overview: what is wrong now in words, the numbers of the whole, the live map, and what changed. */
import { type ComponentChildren, h } from 'preact';
import { rowsOf } from '../../gateway/admin/live-model.ts';
import { bytesText, countText, durationText, rateText, shareText } from '../charts/format.ts';
import { BudgetBars } from '../components/budget-bars.ts';
import { LiveMap } from '../components/live-map.ts';
import { Problems } from '../components/problems.ts';
import { Sparkline } from '../components/sparkline.ts';
import { Timeline } from '../components/timeline.ts';
import { latenciesText, live } from '../feed.ts';
import { beat, sumOf, rowKey } from '../history.ts';
import { isOut } from '../traffic.ts';
import type { View } from '../view.ts';

export function Overview(): View {
  return h('div', { class: 'screen' }, [
    h(Problems, {}),
    h(Totals, {}),
    h(BudgetBars, {}),
    h(LiveMap, {}),
    h(Timeline, {}),
  ]);
}

function Totals(): View {
  void beat.value;
  const { tables } = live.value!;
  const listeners = rowsOf(tables.listeners);
  const keys = listeners.map(({ name }) => rowKey('listeners', name));
  const requests = sumOf(keys, 'requests');
  const errors = sumOf(keys, 'errors');
  const [perSecond, perSecondBad] = [lately(requests), lately(errors)];
  const endpoints = rowsOf(tables.endpoints);
  const p99 = Math.max(...listeners.map(({ p99Ms }) => p99Ms ?? Number.NEGATIVE_INFINITY));
  const connections = listeners.reduce((sum, row) => sum + row.connections, 0);
  const workers = rowsOf(tables.workers);
  const lag = Math.max(0, ...workers.map(({ loopLagMs }) => loopLagMs));
  const heap = workers.reduce((sum, { heapBytes }) => sum + heapBytes, 0);
  const out = endpoints.filter(isOut).length;
  return h('dl', { class: 'totals' }, [
    h(Total, {
      title: 'Requests',
      value: rateText(perSecond),
      children: h(Sparkline, { values: requests, width: 96, height: 20 }),
    }),
    h(Total, {
      ...{
        title: 'Errors',
        value: perSecond > 0 ? shareText(Math.min(1, perSecondBad / perSecond)) : '–',
        tone: perSecondBad > 0 ? 'bad' : '',
      },
      children: h(Sparkline, { values: errors, width: 96, height: 20, tone: 'bad' }),
    }),
    h(Total, { title: 'p99', value: Number.isFinite(p99) ? durationText(p99) : '–', note: latenciesText() }),
    h(Total, { title: 'Connections', value: countText(connections) }),
    h(Total, {
      title: 'Endpoints',
      value: `${endpoints.length - out} of ${endpoints.length}`,
      tone: out > 0 ? 'warn' : '',
    }),
    h(Total, {
      title: 'Workers',
      value: String(workers.length),
      note: `lag ${durationText(lag)}, heap ${bytesText(heap)}`,
    }),
  ]);
}

function lately(values: Float32Array): number {
  const known = values.subarray(-5).filter((value) => !Number.isNaN(value));
  return known.length === 0 ? Number.NaN : known.reduce((sum, value) => sum + value, 0) / known.length;
}

interface TotalProps {
  readonly title: string;
  readonly value: string;
  readonly tone?: string;
  readonly note?: string;
  readonly children?: ComponentChildren;
}

function Total({ title, value, tone = '', note, children }: TotalProps): View {
  return h('div', {}, [
    h('dt', {}, title),
    h('dd', { class: tone }, value),
    note === undefined ? null : h('dd', { class: 'note' }, note),
    children === undefined ? null : h('dd', { class: 'note' }, children),
  ]);
}
