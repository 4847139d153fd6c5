/** All that is known of one span: attributes, events, links, and what was set right of it. */
import { h } from 'preact';
import { clockText, durationText } from '../charts/format.ts';
import type { TraceRow } from '../charts/waterfall.ts';
import { hashOf } from '../router.ts';
import type { View } from '../view.ts';

const lostWords = {
  parent: 'Its parent is not here: it was not kept, or never sent.',
  circle: 'Its parents are a circle; the waterfall was opened here.',
} as const;

export function SpanDetails({ row }: { readonly row: TraceRow }): View {
  const { span, shiftMs, lost } = row;
  const { dropped } = span;
  const left = dropped.attributes + dropped.events + dropped.links;
  const facts: readonly (readonly [name: string, value: string])[] = [
    ['service', span.service],
    ['kind', span.kind],
    ['span id', span.spanId],
    ...(span.statusMessage === '' ? [] : [['error', span.statusMessage] as const]),
    ...Object.entries(span.attributes).map(([name, value]) => [name, String(value)] as const),
  ];
  return h('div', { class: 'span-details' }, [
    h('h3', {}, [span.name, h('span', { class: span.status === 'error' ? 'bad' : 'dim' }, ` ${span.status === 'error' ? 'failed' : ''} ${durationText(span.durationMs)}`)]),
    shiftMs === 0 ? null : h('p', { class: 'warn' }, `The clock of ${span.service} differs: what it sent was moved by ${durationText(shiftMs)}.`),
    lost === null ? null : h('p', { class: 'warn' }, lostWords[lost]),
    h('dl', {}, facts.map(([name, value]) => h('div', { key: name }, [h('dt', {}, name), h('dd', {}, value)]))),
    span.events.length === 0
      ? null
      : h('ol', { class: 'events' }, [
          span.events.map(({ timeMs, name, attributes }, at) =>
            h('li', { key: at }, [
              h('time', {}, `+${durationText(Math.max(0, timeMs - span.startMs))}`),
              h('b', {}, name),
              ...Object.entries(attributes).map(([key, value]) => h('span', { key }, ` ${key}=${String(value)}`)),
            ]),
          ),
        ]),
    span.links.map((link) => h('p', { key: link.spanId }, ['Linked to ', h('a', { href: hashOf('traces', { id: link.traceId }) }, link.traceId)])),
    left === 0 ? null : h('p', { class: 'dim' }, `${left} attributes, events or links had no room and are not shown.`),
    h('p', { class: 'dim' }, `Began ${clockText(span.startMs, true)}.`),
  ]); // prettier-ignore
}
