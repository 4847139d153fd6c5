/**
 * A table of numbers: sorted by any column, filtered by words, and of long ones only the rows in view are there. The state of sorting
 * and filtering is in the address, so that a link shows what was seen.
 *
 * Invariant: rows keep their order while the numbers they are sorted by are equal. Cost: a second of news of 1,000 rows is one sort and
 * some forty rows of the page.
 */
import { type ComponentChildren, h } from 'preact';
import { useState } from 'preact/hooks';
import { place, setQuery } from '../router.ts';
import type { View } from '../view.ts';

type Value = string | number | boolean | null;

export interface Column<Row> {
  readonly id: string;
  readonly title: string;
  /** What the title means, shown when it is pointed at. */
  readonly help?: string;
  /** What it is sorted by, and shown as it is if `show` is not given. */
  readonly value: (row: Row) => Value;
  readonly show?: (row: Row) => ComponentChildren;
  /** Numbers stand under one another. @defaultValue `number` if it is one */
  readonly kind?: 'text' | 'number';
  /** Columns of one group have a title over them; neighbours only. */
  readonly group?: string;
}

export interface TableProps<Row> {
  /** Of this table in the address; short. */
  readonly id: string;
  /** Says what the table shows, to those who do not see it too. */
  readonly label: string;
  readonly columns: readonly Column<Row>[];
  readonly rows: readonly Row[];
  readonly keyOf: (row: Row) => string;
  readonly classOf?: (row: Row) => string;
  /** What is said if there are none. */
  readonly empty: string;
  /** Long ones can be filtered here; false where the screen has a search that asks the gateway. @defaultValue true */
  readonly hasFilter?: boolean;
}

/** Of the style sheet: rows in a window have this height, whatever they hold. */
const ROW_PX = 25;
/** Above it rows are drawn as they come into view. */
const WINDOW_ROWS = 60;
/** Drawn beyond what is in view, so that scrolling meets rows. */
const MARGIN_ROWS = 12;
const VIEW_PX = 620;

export function Table<Row>(props: TableProps<Row>): View {
  const { id, label, columns, empty, rows, hasFilter = true } = props;
  const { query } = place.value;
  const filter = hasFilter ? (query.get(`${id}.find`) ?? '') : '';
  const sort = query.get(`${id}.sort`) ?? '';
  const shown = sorted(filtered(rows, columns, filter), columns, sort);
  const find = (event: InputEvent): void => setQuery({ [`${id}.find`]: (event.target as HTMLInputElement).value });
  return h('div', { class: 'table' }, [
    hasFilter && (rows.length > 8 || filter !== '')
      ? h('div', { class: 'find' }, [
          h('input', {
            ...{ type: 'search', value: filter, onInput: find, spellcheck: false },
            ...{ placeholder: 'Find  /', 'aria-label': `Find in ${label}` },
          }),
          h(
            'span',
            { class: 'dim', role: 'status' },
            filter === '' ? `${rows.length}` : `${shown.length} of ${rows.length}`,
          ),
        ])
      : null,
    rows.length === 0 ? h('p', { class: 'dim' }, empty) : h(Rows, { ...props, rows: shown, sort } as never),
  ]);
}

function Rows<Row>({
  id,
  label,
  columns,
  rows,
  keyOf,
  classOf,
  sort,
}: TableProps<Row> & { readonly sort: string }): View {
  const [top, setTop] = useState(0);
  const isWindow = rows.length > WINDOW_ROWS;
  const first = isWindow ? Math.max(0, Math.min(rows.length, Math.floor(top / ROW_PX)) - MARGIN_ROWS) : 0;
  const last = isWindow ? Math.min(rows.length, first + Math.ceil(VIEW_PX / ROW_PX) + 2 * MARGIN_ROWS) : rows.length;
  const gap = (count: number) =>
    count === 0
      ? null
      : h(
          'tr',
          { class: 'gap', 'aria-hidden': 'true' },
          h('td', { colSpan: columns.length, style: { height: `${count * ROW_PX}px` } }),
        );
  const onScroll = isWindow
    ? (event: Event): void => setTop((event.currentTarget as HTMLElement).scrollTop)
    : undefined;
  // It can be scrolled, so it can be reached by keys.
  return h(
    'div',
    { class: isWindow ? 'scroll window' : 'scroll', onScroll, tabIndex: 0, role: 'region', 'aria-label': label },
    [
      h('table', { 'aria-rowcount': rows.length + 1 }, [
        h('thead', {}, [
          groupRow(columns),
          h(
            'tr',
            {},
            columns.map((column) => h(Heading, { id, sort, column: column as never })),
          ),
        ]),
        h('tbody', {}, [
          gap(first),
          ...rows.slice(first, last).map((row, at) =>
            h(
              'tr',
              { key: keyOf(row), class: classOf?.(row), 'aria-rowindex': first + at + 2 },
              columns.map((column) => cell(column, row)),
            ),
          ),
          gap(rows.length - last),
        ]),
      ]),
    ],
  );
}

function groupRow<Row>(columns: readonly Column<Row>[]): View | null {
  if (!columns.some(({ group }) => group !== undefined)) return null;
  const groups: { title: string; span: number }[] = [];
  for (const { group = '' } of columns) {
    const last = groups.at(-1);
    if (last?.title === group) last.span += 1;
    else groups.push({ title: group, span: 1 });
  }
  return h(
    'tr',
    { class: 'groups' },
    groups.map(({ title, span }) => h('th', { colSpan: span, scope: 'colgroup' }, title)),
  );
}

function Heading({
  id,
  column,
  sort,
}: {
  readonly id: string;
  readonly column: Column<never>;
  readonly sort: string;
}): View {
  const [by, way] = sort.split('-');
  const isBy = by === column.id;
  const next = !isBy ? `${column.id}-down` : way === 'down' ? `${column.id}-up` : undefined;
  const direction = isBy ? (way === 'down' ? 'descending' : 'ascending') : undefined;
  const mark = isBy ? (way === 'down' ? ' ↓' : ' ↑') : '';
  return h(
    'th',
    { scope: 'col', class: column.kind === 'text' ? 'text' : undefined, 'aria-sort': direction, title: column.help },
    [
      column.title === ''
        ? null
        : h('button', { type: 'button', onClick: () => setQuery({ [`${id}.sort`]: next }) }, column.title + mark),
    ],
  );
}

/** A text that may be too long for its column. */
const LONG = 24;

function cell<Row>({ kind, value, show }: Column<Row>, row: Row): View {
  const content = value(row);
  const title = typeof content === 'string' && content.length > LONG ? content : undefined;
  return h(
    'td',
    { class: kind === 'text' ? 'text' : undefined, title },
    show === undefined ? String(content ?? '–') : show(row),
  );
}

/** Rows in which each of the words stands somewhere. */
function filtered<Row>(rows: readonly Row[], columns: readonly Column<Row>[], filter: string): readonly Row[] {
  const words = filter
    .toLowerCase()
    .split(/\s+/)
    .filter((word) => word !== '');
  if (words.length === 0) return rows;
  return rows.filter((row) => {
    const text = columns
      .map(({ value }) => String(value(row) ?? ''))
      .join(' ')
      .toLowerCase();
    return words.every((word) => text.includes(word));
  });
}

function sorted<Row>(rows: readonly Row[], columns: readonly Column<Row>[], sort: string): readonly Row[] {
  const [by, way] = sort.split('-');
  const column = columns.find(({ id }) => id === by);
  if (column === undefined) return rows;
  const sign = way === 'down' ? -1 : 1;
  return rows
    .map((row) => ({ row, value: column.value(row) }))
    .toSorted((one, other) => compare(one.value, other.value, sign))
    .map(({ row }) => row);
}

const collator = new Intl.Collator('en', { numeric: true });

/** What is not known comes last, whichever way. */
function compare(one: Value, other: Value, sign: number): number {
  const [noOne, noOther] = [isNone(one), isNone(other)];
  if (noOne || noOther) return Number(noOne) - Number(noOther);
  if (typeof one === 'string' && typeof other === 'string') return sign * collator.compare(one, other);
  return sign * (Number(one) - Number(other));
}

function isNone(value: Value): boolean {
  return value === null || Number.isNaN(value);
}
