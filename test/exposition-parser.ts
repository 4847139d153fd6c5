/**
 * A strict reader of the Prometheus text formats, for tests: throws on whatever a scraper could stumble over. Written from
 * the descriptions of the formats (0.0.4; OpenMetrics 1.0 §5), not from the writer.
 */

export interface ParsedFamily {
  readonly name: string;
  readonly type: string;
  readonly help: string;
  readonly samples: readonly ParsedSample[];
}

export interface ParsedSample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
  /** In OpenMetrics a bucket may have one. */
  readonly exemplar?: { readonly traceId: string; readonly value: number; readonly timeS: number };
}

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*/;
const LABEL = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(,|(?=\}))/;
const EXEMPLAR = / # \{trace_id="([0-9a-f]{32})"\} (\S+) (\d+(?:\.\d+)?)$/;
const suffixes: Readonly<Record<string, readonly string[]>> = {
  counter: ['_total'],
  gauge: [''],
  histogram: ['_bucket', '_sum', '_count'],
};

export function parseExposition(text: string, format: 'prometheus' | 'openmetrics'): ParsedFamily[] {
  const families: (ParsedFamily & { samples: ParsedSample[] })[] = [];
  const lines = text.split('\n');
  if (lines.pop() !== '') throw new Error('the last line has no end');
  if (format === 'openmetrics' && lines.pop() !== '# EOF') throw new Error('no # EOF at the end');
  const seen = new Set<string>();
  let help: { readonly name: string; readonly text: string } | null = null;
  for (const line of lines) {
    const comment = /^# (HELP|TYPE) (\S+) (.*)$/.exec(line);
    const [, kind, name = '', rest = ''] = comment ?? [];
    if (kind === 'HELP') {
      if (help !== null) throw new Error(`HELP without TYPE: ${help.name}`);
      help = { name, text: rest };
    } else if (kind === 'TYPE') {
      if (help?.name !== name) throw new Error(`TYPE without its HELP: ${line}`);
      if (families.some((family) => family.name === name)) throw new Error(`twice: ${name}`);
      if (!(rest in suffixes)) throw new Error(`unknown type: ${line}`);
      families.push({ name, type: rest, help: help.text, samples: [] });
      help = null;
    } else {
      const family = families.at(-1);
      if (family === undefined || help !== null) throw new Error(`a sample without a family: ${line}`);
      const sample = parseSample(line, format);
      checkName(family, sample.name, format);
      const identity = JSON.stringify([sample.name, Object.entries(sample.labels).map(String).sort()]);
      if (seen.has(identity)) throw new Error(`twice: ${line}`);
      seen.add(identity);
      family.samples.push(sample);
    }
  }
  for (const family of families) if (family.type === 'histogram') checkHistogram(family);
  return families;
}

function parseSample(line: string, format: 'prometheus' | 'openmetrics'): ParsedSample {
  const name = NAME.exec(line)?.[0];
  if (name === undefined) throw new Error(`not a sample: ${line}`);
  let rest = line.slice(name.length);
  const labels: Record<string, string> = {};
  if (rest.startsWith('{')) {
    rest = rest.slice(1);
    while (!rest.startsWith('}')) {
      const label = LABEL.exec(rest);
      if (label === null) throw new Error(`bad label: ${line}`);
      if (Object.hasOwn(labels, label[1]!)) throw new Error(`label twice: ${line}`);
      labels[label[1]!] = label[2]!.replace(/\\(.)/g, (_, sign: string) => (sign === 'n' ? '\n' : sign));
      rest = rest.slice(label[0].length);
    }
    rest = rest.slice(1);
  }
  const exemplar = format === 'openmetrics' && name.endsWith('_bucket') ? EXEMPLAR.exec(rest) : null;
  if (exemplar !== null) rest = rest.slice(0, exemplar.index);
  const value = /^ (\+Inf|-Inf|NaN|-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)$/.exec(rest)?.[1];
  if (value === undefined) throw new Error(`bad value: ${line}`);
  const sample = { name, labels, value: Number(value.replace('Inf', 'Infinity')) };
  if (exemplar === null) return sample;
  const [, traceId = '', seen, timeS] = exemplar;
  if (Number(seen) > Number((labels['le'] ?? '').replace('Inf', 'Infinity'))) throw new Error(`above le: ${line}`);
  return { ...sample, exemplar: { traceId, value: Number(seen), timeS: Number(timeS) } };
}

function checkName(family: ParsedFamily, name: string, format: 'prometheus' | 'openmetrics'): void {
  const bare = format === 'prometheus' && family.type === 'counter';
  const allowed = bare ? [family.name] : suffixes[family.type]!.map((suffix) => family.name + suffix);
  if (bare && !name.endsWith('_total')) throw new Error(`a counter without _total: ${name}`);
  if (!allowed.includes(name)) throw new Error(`${name} is not of the family ${family.name}`);
}

function checkHistogram({ name, samples }: ParsedFamily): void {
  const groups = new Map<string, ParsedSample[]>();
  for (const sample of samples) {
    const { le: _, ...labels } = sample.labels;
    const key = JSON.stringify(labels);
    groups.set(key, [...(groups.get(key) ?? []), sample]);
  }
  for (const group of groups.values()) {
    const buckets = group.filter((sample) => sample.name === `${name}_bucket`);
    const bounds = buckets.map(({ labels }) => Number((labels['le'] ?? '').replace('Inf', 'Infinity')));
    if (bounds.at(-1) !== Number.POSITIVE_INFINITY) throw new Error(`${name}: no +Inf bucket`);
    for (let index = 1; index < buckets.length; index += 1) {
      if (bounds[index]! <= bounds[index - 1]!) throw new Error(`${name}: bounds do not grow`);
      if (buckets[index]!.value < buckets[index - 1]!.value) throw new Error(`${name}: counts fall`);
    }
    const count = group.find((sample) => sample.name === `${name}_count`);
    if (count?.value !== buckets.at(-1)?.value) throw new Error(`${name}: _count is not the +Inf bucket`);
    if (!group.some((sample) => sample.name === `${name}_sum`)) throw new Error(`${name}: no _sum`);
  }
}
