/** Results as a table, for a terminal or for the guide. */
import type { Latencies, Result } from './results.ts';

type Cells = readonly string[];

const HEAD: Cells = ['', 'p50', 'p99', 'p99.9', 'failed', 'fullest ÷ mean', 'keys moved'];

function latencies({ name, p50Ms, p99Ms, p999Ms }: Latencies): string[] {
  return [name, ...[p50Ms, p99Ms, p999Ms].map(duration)];
}

function duration(ms: number): string {
  return ms < 1000 ? `${ms.toFixed(0)} ms` : `${(ms / 1000).toFixed(1)} s`;
}

function percent(share: number, digits: number): string {
  return `${(share * 100).toFixed(digits)} %`;
}

function rowsOf(least: Latencies, results: readonly Result[]): Cells[] {
  return [
    [...latencies(least), '', '', ''],
    ...results.map((result) => [
      ...latencies(result),
      percent(result.failedShare, 2),
      result.imbalance.toFixed(1),
      result.movedShare === null ? '' : percent(result.movedShare, 1),
    ]),
  ];
}

export function textTable(least: Latencies, results: readonly Result[]): string {
  const rows = [HEAD, ...rowsOf(least, results)];
  const widths = HEAD.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const padded = (cell: string, column: number): string =>
    column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!);
  return rows.map((row) => `${row.map(padded).join('  ').trimEnd()}\n`).join('');
}

export function markdownTable(least: Latencies, results: readonly Result[]): string {
  const line = (cells: Cells): string => `| ${cells.join(' | ')} |\n`;
  const rule = `|${HEAD.map((_, column) => (column === 0 ? '---' : '---:')).join('|')}|\n`;
  const named = rowsOf(least, results).map(([name = '', ...rest], row) => [row === 0 ? name : `\`${name}\``, ...rest]);
  return [line(HEAD), rule, ...named.map(line)].join('');
}
