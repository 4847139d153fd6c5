/**
 * From samples to tables. Pure.
 *
 * A ratio is taken within a round, between a contender and the reference measured seconds apart, and then summarised: what
 * disturbs the machine for longer than a round disturbs both.
 */
import type { Case, Metric } from './cases.ts';
import type { Sample } from './measure.ts';

export interface CaseResult {
  readonly name: string;
  readonly title: string;
  readonly metric: Metric;
  readonly unit: Case['unit'];
  readonly goal: Case['goal'] | null;
  /** Requests per second sent, for a case with a schedule. */
  readonly rate: number | null;
  readonly reference: string;
  readonly rows: readonly Row[];
}

export interface Row {
  readonly contender: string;
  /** Medians over the rounds. */
  readonly median: Omit<Sample, 'round'>;
  /** Of the case's metric, to the reference in the same round; null for the reference itself or without it. */
  readonly ratio: { readonly median: number; readonly min: number; readonly max: number } | null;
  readonly goalMet: boolean | null;
  readonly notes: readonly string[];
  readonly samples: readonly Sample[];
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  if (sorted.length === 0) return Number.NaN;
  return sorted.length % 2 === 1 ? (sorted[middle] ?? 0) : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2;
}

function metricOf(sample: Pick<Sample, 'cpuUsPerUnit' | 'p99Us' | 'pssBytesPerConnection'>, metric: Metric): number {
  if (metric === 'cpu') return sample.cpuUsPerUnit;
  return (metric === 'p99' ? sample.p99Us : sample.pssBytesPerConnection) ?? Number.NaN;
}

export function summarise(
  one: Case,
  samples: ReadonlyMap<string, readonly Sample[]>,
  reference: string,
  rate: number | null,
): CaseResult {
  const base = new Map((samples.get(reference) ?? []).map((sample) => [sample.round, metricOf(sample, one.metric)]));
  const floorUs = medianSample(samples.get('direct') ?? []).p99Us;
  const rows = [...samples].map(([contender, own]): Row => {
    const ratios =
      contender === reference
        ? []
        : own
            .map((sample) => metricOf(sample, one.metric) / (base.get(sample.round) ?? Number.NaN))
            .filter(Number.isFinite);
    const ratio =
      ratios.length === 0 ? null : { median: median(ratios), min: Math.min(...ratios), max: Math.max(...ratios) };
    const middle = medianSample(own);
    return {
      contender,
      median: middle,
      ratio,
      goalMet: isDecided(one, middle, floorUs) ? goalMet(one, contender, middle, ratio) : null,
      notes: notesOn(one, contender, own, floorUs),
      samples: own,
    };
  });
  return {
    name: one.name,
    title: one.title,
    metric: one.metric,
    unit: one.unit,
    goal: one.goal ?? null,
    rate,
    reference,
    rows,
  };
}

function goalMet(one: Case, contender: string, middle: Row['median'], ratio: Row['ratio']): boolean | null {
  if (one.goal === undefined || !contender.startsWith('spillway')) return null;
  if (one.goal.bytes !== undefined) return metricOf(middle, one.metric) <= one.goal.bytes;
  return ratio === null || one.goal.ratio === undefined ? null : ratio.median <= one.goal.ratio;
}

function medianSample(samples: readonly Sample[]): Omit<Sample, 'round'> {
  const of = (pick: (sample: Sample) => number): number => median(samples.map(pick));
  const ofSome = (pick: (sample: Sample) => number | null): number | null => {
    const values = samples.map(pick).filter((value) => value !== null);
    return values.length === 0 ? null : median(values);
  };
  return {
    requests: of((sample) => sample.requests),
    errors: samples.reduce((sum, sample) => sum + sample.errors, 0),
    perSecond: of((sample) => sample.perSecond),
    cpuUsPerUnit: of((sample) => sample.cpuUsPerUnit),
    userShare: of((sample) => sample.userShare),
    p50Us: ofSome((sample) => sample.p50Us),
    p99Us: ofSome((sample) => sample.p99Us),
    lateP99Us: ofSome((sample) => sample.lateP99Us),
    rssBytes: of((sample) => sample.rssBytes),
    pssBytes: of((sample) => sample.pssBytes),
    pssBytesPerConnection: ofSome((sample) => sample.pssBytesPerConnection),
    coreBusy: of((sample) => sample.coreBusy),
    coreForeign: of((sample) => sample.coreForeign),
    loadBusy: of((sample) => sample.loadBusy),
    wakeUps: of((sample) => sample.wakeUps),
    logShare: ofSome((sample) => sample.logShare),
  };
}

const FULL = 0.95; // a core less busy than this was waiting for load
const FOREIGN = 0.05; // more of the proxy's core than this went to something else
const LATE = 0.2; // more of the p99 than this was the load's own

/** Whether a latency is the proxy's: neither the load's own nor that of waiting for a core that others have. */
function isDecided(one: Case, { p99Us, lateP99Us, coreForeign }: Row['median'], floorUs: number | null): boolean {
  if (one.load.kind !== 'scheduled') return true;
  return Math.max(lateP99Us ?? 0, floorUs ?? 0) <= (p99Us ?? 0) * LATE && coreForeign <= FOREIGN;
}

/** What a reader must know before believing a row. `floorUs` is the p99 of generator and origin without a proxy. */
function notesOn(one: Case, contender: string, samples: readonly Sample[], floorUs: number | null): string[] {
  const notes: string[] = [];
  const middle = medianSample(samples);
  const errors = middle.errors;
  if (errors > 0) notes.push(`${errors} errors`);
  if (contender === 'direct') return notes;
  if (one.load.kind === 'closed' && middle.coreBusy < FULL)
    notes.push(`core ${percent(middle.coreBusy)} busy: load was the limit`);
  if (middle.coreForeign > FOREIGN) notes.push(`${percent(middle.coreForeign)} of the core taken by others`);
  if (middle.lateP99Us !== null && middle.p99Us !== null && middle.lateP99Us > middle.p99Us * LATE) {
    notes.push(`generator itself late: p99 ${Math.round(middle.lateP99Us)} µs`);
  }
  if (one.load.kind === 'scheduled' && floorUs !== null && floorUs > (middle.p99Us ?? 0) * LATE)
    notes.push(`generator and origin alone: p99 ${Math.round(floorUs)} µs`);
  if (!isDecided(one, middle, floorUs)) notes.push('undecided');
  if (middle.logShare !== null && middle.logShare < 0.99)
    notes.push(`only ${percent(middle.logShare)} of requests logged`);
  return notes;
}

function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

type Cells = readonly string[];

function cellsOf(result: CaseResult): { head: Cells; rows: Cells[] } {
  const ratioOf = ({ ratio }: Row): string =>
    ratio === null ? '' : `${ratio.median.toFixed(2)} (${ratio.min.toFixed(2)}–${ratio.max.toFixed(2)})`;
  const isReference = (row: Row): string => (row.contender === result.reference ? '1' : ratioOf(row));
  const notesOf = (row: Row): string => [...row.notes, ...(row.goalMet === false ? ['goal missed'] : [])].join('; ');
  const ratioHead = `ratio to ${result.reference}`;
  if (result.metric === 'memory') {
    return {
      head: ['', 'KB per connection', ratioHead, 'PSS', 'RSS', 'notes'],
      rows: result.rows.map((row) => [
        row.contender,
        ((row.median.pssBytesPerConnection ?? 0) / 1024).toFixed(1),
        isReference(row),
        megabytes(row.median.pssBytes),
        megabytes(row.median.rssBytes),
        notesOf(row),
      ]),
    };
  }
  return {
    head: [
      '',
      `µs CPU per ${result.unit}`,
      'user + system',
      ratioHead,
      'per second',
      'p50 µs',
      'p99 µs',
      'origin woken',
      'PSS',
      'notes',
    ],
    rows: result.rows.map((row) => {
      const { cpuUsPerUnit: cpu, userShare, p50Us, p99Us, pssBytes, wakeUps } = row.median;
      return [
        row.contender,
        cpu.toFixed(1),
        `${(cpu * userShare).toFixed(1)} + ${(cpu * (1 - userShare)).toFixed(1)}`,
        isReference(row),
        String(Math.round(row.median.perSecond)),
        p50Us === null ? '' : String(Math.round(p50Us)),
        p99Us === null ? '' : String(Math.round(p99Us)),
        wakeUps.toFixed(3),
        megabytes(pssBytes),
        notesOf(row),
      ];
    }),
  };
}

function megabytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MB`;
}

function headline(result: CaseResult): string {
  const rate = result.rate === null ? '' : `, ${Math.round(result.rate)} requests per second`;
  const what = result.metric === 'cpu' ? '' : result.metric === 'p99' ? ' (ratio: p99)' : ' (ratio: memory)';
  const wanted = result.goal?.bytes === undefined ? `${result.goal?.ratio} ×` : `${result.goal.bytes / 1024} KB`;
  return `${result.name}: ${result.title}${rate}${what}${result.goal === null ? '' : `; goal ≤ ${wanted}`}`;
}

export function renderText(result: CaseResult): string {
  const { head, rows } = cellsOf(result);
  const widths = head.map((cell, column) => Math.max(cell.length, ...rows.map((row) => row[column]?.length ?? 0)));
  const line = (cells: Cells): string =>
    cells
      .map((cell, column) =>
        column === 0 || column === cells.length - 1
          ? cell.padEnd(widths[column] ?? 0)
          : cell.padStart(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd();
  return [headline(result), line(head), ...rows.map(line), ''].join('\n');
}

export function renderMarkdown(result: CaseResult): string {
  const { head, rows } = cellsOf(result);
  const line = (cells: Cells): string => `| ${cells.join(' | ')} |`;
  const rule = `|${head.map((_, column) => (column === 0 || column === head.length - 1 ? '---' : '---:')).join('|')}|`;
  return [`**${headline(result)}**`, '', line(head), rule, ...rows.map(line), ''].join('\n');
}
