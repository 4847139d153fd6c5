/**
 * The four burn rate alerts of an objective as bullet bars: two windows each, one line that both must cross. What is drawn stands beside it in
 * numbers, so the table is the chart.
 */
import { h } from 'preact';
import type { SloStatus } from '../../observe/slo/live/status.ts';
import type { View } from '../view.ts';
import { type Bullet, bullets, type BulletWindow, thresholdAt } from './bullet.ts';
import { clockText, dateText, durationText } from './format.ts';

const states: Readonly<Record<NonNullable<Bullet['state']>, string>> = {
  inactive: 'quiet',
  pending: 'building up',
  firing: 'firing',
  resolved: 'resolved',
  unreachable: 'cannot fire',
};

export function BulletBars({ status }: { readonly status: SloStatus }): View {
  return h('table', { class: 'bullets' }, [
    h('caption', { class: 'unseen' }, 'How fast the budget burns, over the windows of each alert'),
    h('thead', {}, [
      h('tr', {}, ['Alert', 'Over', 'Burns', 'to the threshold', 'State'].map((text) => h('th', { key: text, scope: 'col' }, text))),
    ]),
    bullets(status).map((bullet) => h(BulletRows, { key: `${bullet.severity} ${bullet.threshold}`, bullet, atMs: status.atMs })),
  ]); // prettier-ignore
}

function BulletRows({ bullet, atMs }: { readonly bullet: Bullet; readonly atMs: number }): View {
  const { severity, threshold, long, short, state, sinceMs } = bullet;
  const isOff = state === null || state === 'unreachable';
  const since =
    sinceMs === null || state === 'inactive'
      ? ''
      : ` since ${atMs - sinceMs < 43_200_000 ? clockText(sinceMs) : dateText(sinceMs)}`;
  return h('tbody', { class: isOff ? 'off' : (state ?? '') }, [
    h('tr', {}, [
      h('th', { scope: 'rowgroup', rowSpan: 2 }, [severity, h('small', {}, ` above ${threshold}×`)]),
      ...cells(long),
      h('td', { rowSpan: 2, class: 'state' }, (state === null ? 'not wanted' : states[state]) + since),
    ]),
    h('tr', {}, cells(short)),
  ]);
}

function cells({ windowS, burn, length, cut }: BulletWindow): View[] {
  return [
    h('td', {}, durationText(windowS * 1000)),
    h('td', { class: 'number' }, burn === null ? 'no traffic' : `${burnText(burn)}×`),
    h('td', { class: 'bullet', 'aria-hidden': 'true' }, [
      h('i', { class: cut ? 'cut' : '', style: { width: `${length * 100}%` } }),
      h('b', { style: { left: `${thresholdAt * 100}%` } }),
    ]),
  ];
}

/** How many times too fast. */
export function burnText(burn: number): string {
  if (burn === 0) return '0';
  if (burn < 0.01) return '< 0.01';
  return burn >= 100 ? burn.toFixed(0) : burn >= 10 ? burn.toFixed(1) : burn.toFixed(2);
}
