/**
 * `GET /api/series`: a stretch of what was kept, as JSON. What a histogram holds is told bucket by bucket, so that whoever asks adds and takes
 * percentiles as the gateway does; `bounds` are in the unit of the name, and the last, which is infinite, is null.
 *
 * A question may be about ten thousand endpoints: they are answered one after the other, in turns of `TURN_MS`, and the text is made while it is sent.
 */
import type { Clock } from '../../kernel/clock.ts';
import { inTurns } from '../../kernel/steps.ts';
import { parseDuration } from '../../kernel/units.ts';
import type { SeriesQuery, SeriesRange, SeriesRow } from '../../observe/series/range.ts';
import { InTurn } from '../control/in-turn.ts';
import type { Telemetry } from '../control/telemetry.ts';
import { type ApiAnswer, type ApiRequest, badRequest } from './answers.ts';
import type { AdminBackend } from './backend.ts';

const ROWS_MAX = 1000;
/** Of a budget of 5 ms that nothing in this thread may exceed. */
const TURN_MS = 2;
/** Of text, some 100 µs. */
const CHUNK_LENGTH = 16_384;
const STEPS_A_PART = 250;
const DAY_MS = 86_400_000;
const known = ['name', 'from', 'to', 'step', 'merged', 'rows'];
const LABEL = 'label.';

/** More at once would be as many turns before others have theirs. */
const answering = new InTurn();

export type SeriesSource = Pick<AdminBackend, 'series' | 'wallMs'> & { readonly telemetry: Pick<Telemetry, 'clock'> };

export async function answerSeries(backend: SeriesSource, { query }: Pick<ApiRequest, 'query'>): Promise<ApiAnswer> {
  const nowMs = backend.wallMs();
  const wanted = readSeriesQuery(query, nowMs);
  if (typeof wanted === 'string') return badRequest(wanted);
  const range = await seriesRange(backend, wanted);
  const body = seriesChunks(range, nowMs, backend.telemetry.clock);
  return { kind: 'answer', status: 200, contentType: 'application/json', body };
}

export function seriesRange(backend: SeriesSource, wanted: SeriesQuery): Promise<SeriesRange> {
  const { clock } = backend.telemetry;
  return answering.run(() => inTurns(backend.series(wanted), { clock, turnMs: TURN_MS }));
}

/** The JSON of a `SeriesAnswer`. */
export function seriesChunks(range: SeriesRange, nowMs: number, clock: Pick<Clock, 'nowMs'>): AsyncIterable<string> {
  return inChunks(seriesText(range, nowMs), clock);
}

const seriesExample = '?name=spillway_requests_total&label.route=api&from=-15m&step=10s&merged=true';

/** What is wrong, in a sentence, if it cannot be understood. Times are wall ms, or before `nowMs` such as `-15m`. */
export function readSeriesQuery(query: URLSearchParams, nowMs: number): SeriesQuery | string {
  const name = query.get('name') ?? '';
  if (name === '') return `name is missing; expected such as ${seriesExample}.`;
  const labels: Record<string, string> = {};
  for (const [key, value] of query) {
    if (key.startsWith(LABEL)) labels[key.slice(LABEL.length)] = value;
    else if (!known.includes(key)) return `${key} is not known; expected ${known.join(', ')} and ${LABEL}NAME.`;
  }
  const fromMs = readTime(query.get('from') ?? '-15m', nowMs);
  const toMs = readTime(query.get('to') ?? '-0s', nowMs);
  if (fromMs === null || toMs === null) return 'from and to must be wall ms, or before now such as -15m.';
  if (!(toMs > fromMs) || toMs - fromMs > 40 * DAY_MS) return 'to must be after from, by 40 days at most.';
  const step = query.get('step');
  const stepMs = step === null ? null : readStep(step);
  if (stepMs === undefined) return 'step must be a duration such as 10s.';
  const rowsMax = Number(query.get('rows') ?? 100);
  if (!Number.isSafeInteger(rowsMax) || rowsMax < 1 || rowsMax > ROWS_MAX) return `rows must be from 1 to ${ROWS_MAX}.`;
  const merged = query.get('merged') ?? 'false';
  if (merged !== 'true' && merged !== 'false') return 'merged must be true or false.';
  return {
    ...{ name, labels, fromMs, toMs, rowsMax },
    merged: merged === 'true',
    ...(stepMs === null ? {} : { stepMs }),
  };
}

/** Null: it is none. */
export function readTime(text: string, nowMs: number): number | null {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  const before = text.startsWith('-') ? parseDuration(text.slice(1)) : null;
  return before?.ok === true ? nowMs - before.value : null;
}

export function readStep(text: string): number | undefined {
  const parsed = parseDuration(text);
  return parsed.ok && parsed.value >= 1000 ? parsed.value : undefined;
}

async function* inChunks(text: Iterable<string>, clock: Pick<Clock, 'nowMs'>): AsyncGenerator<string> {
  let chunk = '';
  let endMs = clock.nowMs() + TURN_MS;
  for (const part of text) {
    chunk += part;
    if (chunk.length < CHUNK_LENGTH) continue;
    yield chunk;
    chunk = '';
    if (clock.nowMs() < endMs) continue;
    await new Promise((resolve) => setImmediate(resolve));
    endMs = clock.nowMs() + TURN_MS;
  }
  yield chunk;
}

function* seriesText({ rows, ...range }: SeriesRange, nowMs: number): Generator<string> {
  const { fromMs, stepMs, sampled, more } = range;
  yield `${JSON.stringify({ fromMs, stepMs, nowMs, sampled, more }).slice(0, -1)},"rows":[`;
  for (const [at, row] of rows.entries()) {
    if (at > 0) yield ',';
    yield* rowText(row);
  }
  yield ']}';
}

function* rowText({ labels, ...row }: SeriesRow): Generator<string> {
  yield JSON.stringify({ labels, kind: row.kind }).slice(0, -1);
  switch (row.kind) {
    case 'counter':
      yield* listText('values', row.values);
      break;
    case 'gauge':
      yield* listText('last', row.last);
      yield* listText('max', row.max);
      break;
    case 'histogram':
      // As JSON has it, what is infinite is null.
      yield* listText('bounds', row.bounds);
      yield* listText('steps', row.steps);
      break;
    default:
      row satisfies never;
  }
  yield '}';
}

/** The member of an object that others stand before. */
function* listText(name: string, list: Float64Array | readonly unknown[]): Generator<string> {
  yield `,"${name}":[`;
  for (let at = 0; at < list.length; at += STEPS_A_PART) {
    const part = JSON.stringify([...list.slice(at, at + STEPS_A_PART)]).slice(1, -1);
    yield at === 0 ? part : `,${part}`;
  }
  yield ']';
}
