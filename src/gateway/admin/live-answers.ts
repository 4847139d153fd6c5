/**
 * The answers that pages watch: those that `GET` gives to whoever may look. Of one that is as it was only that is told; of a stretch of series, the newest
 * steps. No sockets here.
 */
import { createHash } from 'node:crypto';
import type { SeriesRange } from '../../observe/series/range.ts';
import type { ApiAnswer } from './answers.ts';
import { sortedLabels } from './watch-model.ts';
import { type Answered, type KnownAnswer, sameAnswer } from './live-watches.ts';
import { readSeriesQuery, seriesChunks, seriesRange, type SeriesSource } from './series-api.ts';

interface KnownText {
  readonly digest: string;
}

interface KnownSeries {
  readonly stepMs: number;
  /** Wall time at which those steps begin that may not be all yet. */
  readonly openMs: number;
  /** Of its rows, without what happened in them. */
  readonly shape: string;
}

/** The newest may not be over, and the one before may be sampled just as it is told. */
const OPEN_STEPS = 2;

/** Only that it is the same, if it is that of `known`. */
export async function answerText(answer: ApiAnswer, known: KnownAnswer): Promise<Answered> {
  if (answer.kind === 'problem') return unwatched(answer.problem.status, answer.problem.detail);
  if (answer.kind === 'stream') return unwatched(404, 'This tells by itself.');
  const text = (await textOf(answer.body)).trimEnd();
  const digest = digestOf(text);
  return news(digest === (known as KnownText | null)?.digest ? sameAnswer : wholeText(text), { digest });
}

/** Only the newest steps, if what is before them is `known`. */
export async function answerSteps(source: SeriesSource, query: URLSearchParams, known: KnownAnswer): Promise<Answered> {
  const nowMs = source.wallMs();
  const wanted = readSeriesQuery(query, nowMs);
  if (typeof wanted === 'string') return unwatched(400, wanted);
  const { clock } = source.telemetry;
  if (known !== null) {
    const { openMs: fromMs, shape, stepMs } = known as KnownSeries;
    const range = await seriesRange(source, { ...wanted, fromMs, stepMs });
    // Otherwise there are other rows, or it is kept less finely by now.
    if (range.fromMs === fromMs && range.stepMs === stepMs && range.more === 0 && shapeOf(range) === shape) {
      const sinceMs = Math.floor(wanted.fromMs / stepMs) * stepMs;
      const steps = await textOf(seriesChunks(range, nowMs, clock));
      return news(`{"kind":"steps","sinceMs":${sinceMs},"steps":${steps}}`, knownOf(range));
    }
  }
  const range = await seriesRange(source, wanted);
  return news(wholeText(await textOf(seriesChunks(range, nowMs, clock))), range.more === 0 ? knownOf(range) : null);
}

export function unwatched(status: number, detail: string): Answered {
  return { kind: 'problem', status, detail };
}

function knownOf(range: SeriesRange): KnownSeries {
  const { fromMs, sampled, stepMs } = range;
  return { stepMs, openMs: fromMs + Math.max(0, sampled.length - OPEN_STEPS) * stepMs, shape: shapeOf(range) };
}

function shapeOf({ rows }: SeriesRange): string {
  const each = rows.map(({ labels, ...row }) => {
    const bounds = row.kind === 'histogram' ? [row.bounds.length, row.bounds[0], row.bounds.at(-2)] : [];
    return JSON.stringify([row.kind, sortedLabels(labels), bounds]);
  });
  return digestOf(each.toSorted().join('\n'));
}

function digestOf(text: string): string {
  return createHash('sha256').update(text).digest('base64');
}

function news(text: string, known: KnownAnswer): Answered {
  return { kind: 'news', text, known };
}

function wholeText(answer: string): string {
  return `{"kind":"whole","answer":${answer}}`;
}

async function textOf(body: string | Buffer | AsyncIterable<string | Uint8Array>): Promise<string> {
  if (typeof body === 'string') return body;
  if (Buffer.isBuffer(body)) return body.toString();
  let text = '';
  for await (const chunk of body) text += typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString();
  return text;
}
