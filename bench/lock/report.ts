/** Tables on the terminal, or in Markdown to be pasted into docs/benchmarks.md. */
import { cpus } from 'node:os';

export type Print = (title: string, columns: readonly string[], rows: readonly (readonly string[])[]) => void;

export function printer(markdown: boolean): Print {
  return (title, columns, rows) =>
    process.stdout.write(markdown ? inMarkdown(title, columns, rows) : inText(title, columns, rows));
}

function inMarkdown(title: string, columns: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |\n`;
  const rule = line(columns.map((_, at) => (at === 0 ? '---' : '---:')));
  return `\n**${title}**\n\n${line(columns)}${rule}${rows.map(line).join('')}`;
}

function inText(title: string, columns: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = columns.map((column, at) =>
    Math.max(...[columns, ...rows].map((cells) => (cells[at] ?? column).length)),
  );
  const line = (cells: readonly string[]): string =>
    `  ${cells.map((cell, at) => (at === 0 ? cell.padEnd(widths[at]!) : cell.padStart(widths[at]!))).join('  ')}\n`;
  return `\n${title}\n${[columns, ...rows].map(line).join('')}`;
}

export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}

/** The median, and the least and the greatest. */
export function range(values: readonly number[], digits: number): string {
  const [middle, least, greatest] = [median(values), Math.min(...values), Math.max(...values)].map((value) =>
    value.toFixed(digits),
  );
  return `${middle} (${least}–${greatest})`;
}

/** How busy the others keep this machine while nothing is measured, in percent of all cores. */
export async function busyPercent(): Promise<number> {
  const before = cpuTimes();
  await new Promise<void>((resolve) => setTimeout(resolve, LOOK_MS));
  const after = cpuTimes();
  return 100 * (1 - (after.idle - before.idle) / (after.all - before.all));
}

const LOOK_MS = 500;

function cpuTimes(): { readonly idle: number; readonly all: number } {
  const times = cpus().map((cpu) => cpu.times);
  const sum = (some: readonly number[]): number => some.reduce((total, each) => total + each, 0);
  return { idle: sum(times.map(({ idle }) => idle)), all: sum(times.flatMap((each) => Object.values(each))) };
}
