/**
 * The live map: where requests come from, which way they go and how they fare. A line’s thickness is requests, its colour errors, and
 * each thing says its rate and its p99. What it shows stands in a table behind it.
 */
import { h } from 'preact';
import { durationText, rateText, shareText } from '../charts/format.ts';
import { type Flow, layoutMap, type FlowOf, type Line, MAP_WIDTH, type Node } from '../map-layout.ts';
import { latenciesText, live } from '../feed.ts';
import { beat, meanOf, rowKey } from '../history.ts';
import type { View } from '../view.ts';
import { type Column, Table } from './table.ts';

/** Long enough that a light stream does not blink, short enough to see a change at once. */
const SECONDS = 5;

const flowOf: FlowOf = (table, ...names) => {
  const key = rowKey(table, ...names);
  return { requests: meanOf(key, 'requests', SECONDS), errors: meanOf(key, 'errors', SECONDS) };
};

export function LiveMap(): View {
  void beat.value;
  const { height, lines, nodes } = layoutMap(live.value!.tables, flowOf);
  const names = new Map(nodes.map(({ id, title }) => [id, title]));
  return h('section', { class: 'panel' }, [
    h('header', {}, [
      h('h2', {}, 'Traffic'),
      h('span', { class: 'dim' }, `thickness: requests · colour: errors · p99 ${latenciesText()}`),
    ]),
    h('div', { class: 'scroll', tabIndex: 0, role: 'region', 'aria-label': 'Map of the traffic' }, [
      h(
        'svg',
        {
          class: 'map',
          viewBox: `0 0 ${MAP_WIDTH} ${height}`,
          role: 'img',
          'aria-label': 'Map of the traffic; the table after it says the same',
        },
        [
          h(
            'g',
            { class: 'lines' },
            lines.map((line) => h(LineView, { key: `${line.from}→${line.to}`, line })),
          ),
          h(
            'g',
            {},
            nodes.map((node) => h(NodeView, { key: node.id, node })),
          ),
        ],
      ),
    ]),
    h('details', {}, [
      h('summary', {}, 'The same as a table'),
      h(Table<Line>, {
        ...{ id: 'm', label: 'traffic between parts', columns: columnsWith(names), rows: lines, empty: 'No traffic.' },
        keyOf: ({ from, to }) => `${from}→${to}`,
      }),
    ]),
  ]);
}

function columnsWith(names: ReadonlyMap<string, string>): Column<Line>[] {
  return [
    { id: 'from', title: 'From', kind: 'text', value: ({ from }) => names.get(from) ?? from },
    { id: 'to', title: 'To', kind: 'text', value: ({ to }) => names.get(to) ?? to },
    { id: 'rate', title: 'Requests', value: ({ flow }) => flow.requests, show: ({ flow }) => rate(flow) },
    {
      id: 'errors',
      title: 'Errors',
      value: ({ flow }) => errorShare(flow),
      show: ({ flow }) => shareText(errorShare(flow) ?? NaN),
    },
  ];
}

function rate({ requests }: Flow): string {
  return requests === null ? '–' : rateText(requests);
}

function errorShare({ errors, requests }: Flow): number | null {
  return errors === null || requests === null || requests === 0 ? null : Math.min(1, errors / requests);
}

/** In steps that can be told apart; from one in ten on it is as bad as it gets. */
function tone(flow: Flow): string {
  const share = errorShare(flow) ?? 0;
  return flow.requests === null || flow.requests === 0
    ? 'idle'
    : share >= 0.1
      ? 'bad'
      : share >= 0.01
        ? 'warn'
        : share > 0
          ? 'some'
          : 'well';
}

function LineView({ line }: { readonly line: Line }): View {
  return h('path', { class: tone(line.flow), d: line.path, 'stroke-width': line.width.toFixed(1) });
}

const LETTER = 6.6;
const BOLD_LETTER = 7.8;
/** Of what stands beside a name so much is shown, however long the name. */
const DETAIL_LEAST = 14;

function NodeView({ node }: { readonly node: Node }): View {
  const { detail, flow, height, isOut, kind, link, p99Ms, title, width, x, y } = node;
  if (kind === 'gateway') return h('rect', { class: 'bar', x, y, width, height, rx: 3 });
  const said = [title, detail, rate(flow), p99Ms === null ? '' : `p99 ${durationText(p99Ms)}`].filter(
    (part) => part !== '',
  );
  const p99 = p99Ms === null || isOut ? '' : durationText(p99Ms);
  // About so many units a letter; the second line of a low node is beside the first.
  const letters = Math.floor((width - 16) / LETTER);
  const beside = Math.min(detail.length, DETAIL_LEAST) * LETTER;
  const name = cut(title, detail === '' ? letters : Math.floor((width - 28 - beside) / BOLD_LETTER));
  const lines =
    height < 30
      ? [
          h('text', { x: 8, y: 15 }, cut(title, letters - 19)),
          h('text', { class: 'number', x: width - 72, y: 15 }, isOut ? detail : rate(flow)),
          h('text', { class: 'number', x: width - 8, y: 15 }, p99),
        ]
      : [
          h('text', { class: 'title', x: 8, y: 15 }, name),
          h(
            'text',
            { class: 'number more', x: width - 8, y: 15 },
            cut(detail, Math.max(0, Math.floor((width - 28 - name.length * BOLD_LETTER) / LETTER))),
          ),
          h('text', { x: 8, y: 29 }, rate(flow)),
          h('text', { class: 'number', x: width - 8, y: 29 }, p99 === '' ? '' : `p99 ${p99}`),
        ];
  const view = h('g', { class: `node ${kind}${isOut ? ' isout' : ''}`, transform: `translate(${x} ${y.toFixed(1)})` }, [
    h('title', {}, said.join(' · ')),
    h('rect', { width, height, rx: 4 }),
    lines,
  ]);
  return link === null ? view : h('a', { href: link, 'aria-label': said.join(', ') }, view);
}

function cut(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, Math.max(1, length - 1))}…`;
}
