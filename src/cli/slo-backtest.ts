/** `spillway slo backtest`: how good the alerts of an objective would have been on what was recorded. */
import { readFileSync, statSync } from 'node:fs';
import { SpillwayError } from '../kernel/errors.ts';
import { formatPercentage, parsePercentage } from '../kernel/units.ts';
import { loadSlos } from '../observe/index.ts';
import { backtest as judge, type Backtest, type Score } from '../observe/slo/backtest/backtest.ts';
import { deriveIncidents, readIncidents } from '../observe/slo/backtest/incidents.ts';
import { partsOf, readExposition } from '../observe/slo/backtest/read-exposition.ts';
import { isSeries, readSeries } from '../observe/slo/backtest/read-series.ts';
import { readCounts, type Reading, type Recording } from '../observe/slo/backtest/recording.ts';
import type { Slo } from '../observe/slo/objective.ts';
import { formatMistake } from '../reading/mistakes.ts';
import { reasonOf } from '../reading/small-file.ts';
import { type Arguments, type CommandIo, UsageError } from './command.ts';
import { type ExitCode, exitCodes } from './exit-codes.ts';
import { timeText } from './slo-text.ts';
import { printable } from './terminal.ts';

/** Three months of a counter a minute are 10 MB as a dump. */
const DATA_BYTES_MAX = 512 * 2 ** 20;
/** What a page at 14.4 times stands for. */
const SPENT = '2%';

export async function backtest(file: string | undefined, args: Arguments, io: CommandIo): Promise<ExitCode> {
  const { out, err, clock } = io;
  if (file === undefined) throw new UsageError('which file has the objectives?');
  const data = args.text('data');
  if (data === null) throw new UsageError('what was recorded? --data FILE');
  const { slos, mistakes } = await loadSlos(file, { clock });
  for (const mistake of mistakes) err.line(printable(formatMistake(mistake)));
  if (slos === null) return exitCodes.no;
  const slo = choose(slos.slos, args.text('slo'));
  const recording = readRecording(slo, data);
  const incidents = recording.ok ? incidentsOf(slo, recording.value, args) : null;
  for (const read of [recording, incidents]) {
    if (read?.ok === false) for (const line of read.mistakes) err.line(printable(line));
  }
  if (!recording.ok || incidents?.ok !== true) return exitCodes.no;
  const result = judge(slo, recording.value, incidents.value);
  if (args.flag('json')) out.line(JSON.stringify({ slo: slo.name, ...result }, null, 2));
  else for (const line of resultLines(result)) out.line(printable(line));
  return exitCodes.ok;
}

function choose(slos: readonly Slo[], name: string | null): Slo {
  const names = slos.map((each) => each.name).join(', ');
  const found = name === null && slos.length === 1 ? slos[0] : slos.find((each) => each.name === name);
  if (found !== undefined) return found;
  throw new UsageError(
    name === null ? `which objective? --slo, one of ${names}` : `there is no objective ${name}; there are ${names}`,
  );
}

/** What begins with a header that has commas is a table, what is JSON is of a gateway. */
function readRecording(slo: Slo, path: string): Reading<Recording> {
  const text = readText(path);
  const first = text.split('\n', 20).find((line) => line.trim() !== '' && !line.startsWith('#')) ?? '';
  if (text.trim() === '' || /^[\w\s]+(,[\w\s]+)+\r?$/.test(first)) return readCounts(text, path);
  if (isSeries(text)) return readSeries(text, path, slo);
  const parts = partsOf(slo.indicator);
  if (parts !== null) return readExposition(text, path, parts);
  const said =
    'the indicator of this objective is PromQL that only Prometheus computes; give its counts as a table with the columns time,good,total';
  return { ok: false, mistakes: [`${path}:1:1: ${said}`] };
}

function incidentsOf(slo: Slo, recording: Recording, args: Arguments): ReturnType<typeof readIncidents> {
  const [path, spent] = [args.text('incidents'), args.text('spent')];
  if (path !== null && spent !== null) throw new UsageError('either --incidents or --spent');
  if (path !== null) return readIncidents(readText(path), path);
  const share = parsePercentage(spent ?? SPENT);
  if (!share.ok || share.value === 0) throw new UsageError(`--spent is a share of the budget such as ${SPENT}`);
  return { ok: true, value: deriveIncidents(slo, recording, share.value) };
}

function readText(path: string): string {
  try {
    if (statSync(path).size > DATA_BYTES_MAX)
      throw new UsageError(`${path} is larger than 512 MB; take a shorter time`);
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw new SpillwayError('CONFIG_NOT_FOUND', `The file ${path} ${reasonOf(error)}.`, { cause: error });
  }
}

function resultLines({ fromS, toS, steps, incidents, scores }: Backtest): readonly string[] {
  const [from, to] = [fromS, toS].map((seconds) => new Date(seconds * 1000).toISOString().slice(0, 16));
  const cell = (text: string, width: number): string => text.padStart(width);
  const share = (value: number | null): string => (value === null ? '-' : formatPercentage(Number(value.toFixed(4))));
  const times = (value: Score['detectS']): string =>
    value === null ? '-' : `${timeText(value.median)}, ${timeText(value.longest)}`;
  const widths = [10, 7, 11, 8, 24, 24] as const;
  const row = (name: string, ...cells: readonly string[]): string =>
    name.padEnd(12) + cells.map((text, at) => cell(text, widths[at] ?? 0)).join('');
  const missed = scores.find(({ name }) => name === 'any page')?.missed ?? [];
  return [
    `${steps} steps from ${from} to ${to}, ${incidents.length} ${incidents.length === 1 ? 'incident' : 'incidents'}`,
    '',
    row('alert', 'fired', 'right', 'precision', 'recall', 'to detect (mid, most)', 'to reset (mid, most)'),
    ...scores.map(({ name, fired, right, precision, recall, detectS, resetS }) =>
      row(name, String(fired), String(right), share(precision), share(recall), times(detectS), times(resetS)),
    ),
    ...(missed.length === 0 ? [] : ['', `not paged: ${missed.join(', ')}`]),
  ];
}
