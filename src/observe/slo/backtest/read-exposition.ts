/**
 * A recording from counters in Prometheus' text format or OpenMetrics, with a time on every sample, as `promtool tsdb dump`
 * (which has the name among the labels) and `promtool tsdb dump-openmetrics` write them. Pure. Counters that begin again at zero were reset; nothing is extrapolated.
 */
import type { CounterPart } from '../gateway-indicator.ts';
import { counterParts } from '../gateway-indicator.ts';
import type { Indicator } from '../objective.ts';
import { type Reading, type RecordedStep, type Recording, show, TableMistakes } from './recording.ts';

/** A counter that an indicator is made of: what its labels must be, and how its growth is added. */
interface Part extends Pick<CounterPart, 'metric' | 'bad' | 'total'> {
  readonly matches: (labels: ReadonlyMap<string, string>) => boolean;
}

/** The parts of an indicator; null if it is PromQL that only Prometheus can compute. */
export function partsOf(indicator: Indicator): readonly Part[] | null {
  if (indicator.kind === 'ratio') return null;
  if (indicator.gateway !== null) {
    return counterParts(indicator.gateway).map(({ metric, labels, bad, total }) => ({
      ...{ metric, bad, total },
      matches: (found) => Object.entries(labels).every(([name, value]) => sameLabel(name, found.get(name), value)),
    }));
  }
  // As `windowed` and `badOf` make them of plain counters.
  const plain = /^sum\(rate\((.*)\[\$window\]\)\)$/s;
  const wrapped = /^\((sum\(rate\(.*\[\$window\]\)\))\) - \((sum\(rate\(.*\[\$window\]\)\))\)$/s.exec(indicator.bad);
  const total = selectorOf(plain.exec(indicator.total)?.[1]);
  const badText = wrapped === null ? plain.exec(indicator.bad)?.[1] : plain.exec(wrapped[2] ?? '')?.[1];
  const counted = selectorOf(badText);
  if (total === null || counted === null) return null;
  if (wrapped === null)
    return [
      { ...counted, bad: 1, total: 0 },
      { ...total, bad: 0, total: 1 },
    ];
  return [
    { ...counted, bad: -1, total: 0 },
    { ...total, bad: 1, total: 1 },
  ];
}

/** Bounds of buckets are numbers, whichever way they are written. */
function sameLabel(name: string, found: string | undefined, value: string): boolean {
  return found === value || (name === 'le' && found !== undefined && Number(found) === Number(value));
}

function selectorOf(text: string | undefined): Pick<Part, 'metric' | 'matches'> | null {
  const match = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})?$/s.exec(text ?? '');
  if (match === null) return null;
  const [, metric = '', inside = ''] = match;
  const matchers = [...inside.matchAll(/\s*(\w+)\s*(=~|!~|!=|=)\s*"((?:[^"\\]|\\.)*)"\s*(?:,|$)/g)];
  if (matchers.map(([whole]) => whole).join('') !== inside) return null;
  const tests = matchers.map(([, name = '', operator = '=', raw = '']) => {
    const value = unescape(raw);
    const pattern = operator.includes('~') ? anchored(value) : null;
    if (operator.includes('~') && pattern === null) return null;
    return (labels: ReadonlyMap<string, string>): boolean => {
      const found = labels.get(name) ?? '';
      const is = pattern === null ? found === value : pattern.test(found);
      return operator.startsWith('!') ? !is : is;
    };
  });
  if (tests.includes(null)) return null;
  return { metric, matches: (labels) => tests.every((each) => each?.(labels) === true) };
}

function anchored(pattern: string): RegExp | null {
  try {
    return new RegExp(`^(?:${pattern})$`, 's');
  } catch {
    return null;
  }
}

function unescape(text: string): string {
  return text.replaceAll(/\\(.)/g, (_, sign: string) => (sign === 'n' ? '\n' : sign));
}

const sample = /^([a-zA-Z_:][\w:]*)?(?:\{((?:[^"}]|"(?:[^"\\]|\\.)*")*)\})?[ \t]+(\S+)(?:[ \t]+(\S+))?(?:[ \t]+#.*)?$/;
const label = /\s*([a-zA-Z_]\w*)\s*=\s*"((?:[^"\\]|\\.)*)"\s*(?:,|$)/g;

interface Series {
  readonly part: Part;
  readonly samples: { atS: number; value: number }[];
}

export function readExposition(text: string, file: string, parts: readonly Part[]): Reading<Recording> {
  const mistakes = new TableMistakes(file);
  const lines = text.split(/\r?\n/);
  // OpenMetrics has seconds and says where it ends; the older format has milliseconds.
  const perSecond = lines.findLast((line) => line !== '')?.trim() === '# EOF' ? 1 : 1000;
  const known = new Map<string, readonly Series[]>();
  for (const [index, line] of lines.entries()) {
    if (line === '' || line.startsWith('#')) continue;
    const wrong = (message: string): boolean => mistakes.add(index + 1, 1, message);
    const match = sample.exec(line);
    const [, metric = '', labelText = '', valueText = '', timeText] = match ?? [];
    const key = `${metric}{${labelText}}`;
    const series = known.get(key) ?? seriesOf(metric, labelText, parts);
    known.set(key, series);
    const value = Number(valueText);
    const atS = Number(timeText) / perSecond;
    let goesOn = true;
    if (match === null || (metric === '' && labelText === '')) goesOn = wrong(`${show(line)} is no sample`);
    else if (series.length === 0) continue;
    // Prometheus' mark that a scrape failed, or that the series went: as much as no sample.
    else if (valueText === 'NaN') continue;
    else if (Number.isNaN(value)) goesOn = wrong(`${show(valueText)} is no value of a counter`);
    else if (timeText === undefined) {
      goesOn = wrong('a sample has no time: of a scrape, which has one moment only, there is nothing to test');
    } else if (!Number.isFinite(atS)) goesOn = wrong(`${show(timeText)} is no time`);
    else for (const { samples } of series) samples.push({ atS, value });
    if (!goesOn) break;
  }
  if (mistakes.list.length > 0) return { ok: false, mistakes: mistakes.list };
  const steps = stepsOf([...known.values()].flat());
  if (steps.length > 1) return { ok: true, value: { steps } };
  const names = [...new Set(parts.map(({ metric }) => metric))].join(', ');
  return { ok: false, mistakes: [`${file}:1:1: it has no two samples of what the objective counts: ${names}`] };
}

/** One for each part of the indicator that it belongs to. */
function seriesOf(metric: string, labelText: string, parts: readonly Part[]): readonly Series[] {
  const labels = new Map([...labelText.matchAll(label)].map(([, name = '', raw = '']) => [name, unescape(raw)]));
  const name = metric === '' ? labels.get('__name__') : metric;
  return parts.flatMap((part) => (part.metric === name && part.matches(labels) ? [{ part, samples: [] }] : []));
}

/** The growth of all counters between the moments at which any has a sample. */
function stepsOf(series: readonly Series[]): readonly RecordedStep[] {
  const growth = new Map<number, { bad: number; total: number }>();
  for (const { part, samples } of series) {
    const ordered = samples.toSorted((one, other) => one.atS - other.atS);
    for (const [at, { atS, value }] of ordered.entries()) {
      const sum = growth.get(atS) ?? { bad: 0, total: 0 };
      growth.set(atS, sum);
      const before = ordered[at - 1]?.value;
      if (before === undefined) continue;
      const grown = value < before ? value : value - before;
      sum.bad += part.bad * grown;
      sum.total += part.total * grown;
    }
  }
  return [...growth]
    .toSorted(([one], [other]) => one - other)
    .map(([atS, { bad, total }]) => ({ atS, bad: Math.max(0, bad), good: Math.max(0, total - Math.max(0, bad)) }));
}
