/**
 * What was counted of an objective, step by step: read from a table or from counters with times. Pure.
 *
 * A step is what was counted since the one before it. Where two are further apart than usual nobody looked in between: what the later one
 * shows is of when it was seen, as it is in live evaluation (`../live/evaluator.ts`), and of the gap nothing is known. Mistakes have their line and column, and are told all at once, up to `MISTAKES_MAX`.
 */
import { readTime } from '../ledger/read-fact.ts';

export interface RecordedStep {
  /** Unix seconds of its end. */
  readonly atS: number;
  readonly good: number;
  readonly bad: number;
}

export interface Recording {
  /** In the order of time, each later than the one before. */
  readonly steps: readonly RecordedStep[];
}

export type Reading<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly mistakes: readonly string[] };

/** Who looks so many times later than usual was away: one sample may be lost. */
const AWAY = 2;

/** When each step begins, in Unix seconds: where the one before it ends, or after a gap, and at first, a usual step before its end. */
export function beginningsOf(steps: readonly RecordedStep[]): readonly number[] {
  const distances = steps.slice(1).map(({ atS }, at) => atS - (steps[at]?.atS ?? atS));
  const usualS = distances.toSorted((one, other) => one - other)[(distances.length - 1) >> 1] ?? 0;
  return steps.map(({ atS }, at) => {
    const beforeS = steps[at - 1]?.atS;
    return beforeS === undefined || atS - beforeS > AWAY * usualS ? atS - usualS : beforeS;
  });
}

/** Nobody mends more before trying again. */
const MISTAKES_MAX = 20;

export class TableMistakes {
  readonly #file: string;
  readonly list: string[] = [];

  constructor(file: string) {
    this.#file = file;
  }

  /** False if nobody would read further ones. */
  add(line: number, column: number, message: string): boolean {
    if (this.list.length < MISTAKES_MAX) this.list.push(`${this.#file}:${line}:${column}: ${message}`);
    return this.list.length < MISTAKES_MAX;
  }
}

/** Rows of a table with a header that names these columns, in any order; a cell is a text without its space around it. */
export function readTable(
  text: string,
  file: string,
  columns: { readonly needed: readonly string[]; readonly known: readonly string[] },
): Reading<readonly TableRow[]> {
  const mistakes = new TableMistakes(file);
  const lines = text.split(/\r?\n/);
  const at = lines.findIndex((line) => line.trim() !== '' && !line.startsWith('#'));
  if (at < 0)
    return { ok: false, mistakes: [`${file}:1:1: the file is empty; it begins with ${columns.needed.join(',')}`] };
  const header = (lines[at] ?? '').split(',').map((cell) => cell.trim().toLowerCase());
  for (const name of columns.needed) {
    if (!header.includes(name))
      mistakes.add(
        at + 1,
        1,
        `there is no column ${name}; the first line names the columns: ${columns.known.join(',')}`,
      );
  }
  const rows: TableRow[] = [];
  for (let index = at + 1; index < lines.length && mistakes.list.length === 0; index += 1) {
    const line = lines[index] ?? '';
    if (line.trim() === '' || line.startsWith('#')) continue;
    rows.push(new TableRow(line, index + 1, header));
  }
  return mistakes.list.length > 0 ? { ok: false, mistakes: mistakes.list } : { ok: true, value: rows };
}

export class TableRow {
  readonly line: number;
  readonly #cells: readonly string[];
  readonly #header: readonly string[];

  constructor(text: string, line: number, header: readonly string[]) {
    this.line = line;
    this.#cells = text.split(',');
    this.#header = header;
  }

  /** Empty if there is none. */
  cell(name: string): string {
    return this.#cells[this.#header.indexOf(name)]?.trim() ?? '';
  }

  /** Where its cell begins. */
  column(name: string): number {
    const at = this.#header.indexOf(name);
    return this.#cells.slice(0, at).reduce((sum, cell) => sum + cell.length + 1, 1);
  }
}

/** Unix seconds of RFC 3339 or of seconds since 1970; null for anything else. */
export function readSeconds(text: string): number | null {
  if (/^\d{1,12}(\.\d{1,9})?$/.test(text)) return Number(text);
  const ms = readTime(text);
  return ms === null ? null : ms / 1000;
}

/** Columns `time`, `good`, `total`: what was counted since the row before. */
export function readCounts(text: string, file: string): Reading<Recording> {
  const columns = ['time', 'good', 'total'];
  const table = readTable(text, file, { needed: columns, known: columns });
  if (!table.ok) return table;
  const mistakes = new TableMistakes(file);
  const steps: RecordedStep[] = [];
  for (const row of table.value) {
    const wrong = (name: string, message: string): boolean => mistakes.add(row.line, row.column(name), message);
    const atS = readSeconds(row.cell('time'));
    const [good, total] = [row.cell('good'), row.cell('total')].map((cell) =>
      /^\d+(\.\d+)?$/.test(cell) ? Number(cell) : null,
    );
    const before = steps.at(-1);
    let goesOn = true;
    if (atS === null)
      goesOn = wrong('time', `${show(row.cell('time'))} is no time; write 2026-11-01T00:00:00Z, or seconds since 1970`);
    else if (good === null || good === undefined) goesOn = wrong('good', `${show(row.cell('good'))} is no count`);
    else if (total === null || total === undefined) goesOn = wrong('total', `${show(row.cell('total'))} is no count`);
    else if (good > total) goesOn = wrong('good', `${good} good of ${total} in all`);
    else if (before !== undefined && atS <= before.atS) {
      goesOn = wrong('time', 'it is not later than the row before: rows are in the order of time');
    } else steps.push({ atS, good, bad: total - good });
    if (!goesOn) break;
  }
  if (steps.length < 2 && mistakes.list.length === 0) mistakes.add(1, 1, 'there are fewer than two rows');
  return mistakes.list.length > 0 ? { ok: false, mistakes: mistakes.list } : { ok: true, value: { steps } };
}

export function show(text: string): string {
  return JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text);
}
