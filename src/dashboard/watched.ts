/**
 * Answers of the admin API that a screen shows, told by the one stream of the live feed while somebody looks at them: what is wanted is said to the gateway
 * (`PUT /api/live/STREAM`), which tells each again when it is another, and of a stretch of series only the newest steps (watch-model.ts). What was known
 * stays on the screen while the stream is lost or no newer answer can be made; then the shell says so.
 *
 * Invariant: what nobody looks at is neither kept here nor told.
 */
import { useEffect, useState } from 'preact/hooks';
import type { AnswerNews, Watch, WatchNews } from '../gateway/admin/watch-model.ts';
import { spliced } from '../gateway/admin/watch-model.ts';
import type { SeriesAnswer } from '../gateway/admin/series-answer.ts';
import { ApiError, putJson } from './api.ts';
import { noteStale } from './stale.ts';

type Answers = readonly unknown[];

interface Reader {
  readonly take: (answers: Answers) => void;
  readonly fail: (problem: ApiError) => void;
}

interface Held extends Watch {
  readonly readers: Set<Reader>;
  /** Null before the first. */
  answers: Answers | null;
}

const held = new Map<string, Held>();
let lastId = 0;
/** Empty while there is none. */
let stream = '';
/** The gateway knows what is wanted. */
let isSaid = true;
let isSaying = false;

/** A stream has begun, of which the gateway knows nothing yet. */
export function watchBy(opened: string): void {
  stream = opened;
  isSaid = false;
  void say();
}

/** Also what could not be said: called with each second of the feed. */
export async function say(): Promise<void> {
  if (isSaid || isSaying || stream === '') return;
  isSaying = true;
  // All that changes together is said at once.
  await Promise.resolve();
  isSaid = true;
  const watches = [...held.values()].map(({ id, paths, everyS }): Watch => ({ id, paths, everyS }));
  try {
    await putJson(`/api/live/${stream}`, { watches });
  } catch (error) {
    isSaid = false;
    const problem = error instanceof ApiError ? error : new ApiError(0, String(error));
    // A stream that has ended is followed by another.
    if (problem.status !== 404) for (const { readers } of held.values()) for (const { fail } of readers) fail(problem);
    return;
  } finally {
    isSaying = false;
  }
  // What is wanted may have become another meanwhile.
  await say();
}

export function takeAnswers(news: WatchNews): void {
  const one = [...held.values()].find(({ id }) => id === news.id);
  if (one === undefined) return;
  if ('problem' in news) {
    const problem = new ApiError(news.problem.status, news.problem.detail);
    for (const { fail } of one.readers) fail(problem);
    return;
  }
  one.answers = news.answers.map((each, at) => newest(one.answers?.[at], each));
  for (const { take } of one.readers) take(one.answers);
}

function newest(known: unknown, news: AnswerNews): unknown {
  switch (news.kind) {
    case 'same':
      return known;
    case 'whole':
      return news.answer;
    case 'steps':
      return spliced(known as SeriesAnswer, news);
    default:
      return news satisfies never;
  }
}

/** Returns what ends it. */
function watch(everyS: number, paths: readonly string[], reader: Reader): () => void {
  const key = JSON.stringify([everyS, paths]);
  let one = held.get(key);
  if (one === undefined) {
    one = { id: ++lastId, everyS, paths, readers: new Set(), answers: null };
    held.set(key, one);
    isSaid = false;
    void say();
  }
  const { readers } = one;
  readers.add(reader);
  if (one.answers !== null) reader.take(one.answers);
  return () => {
    readers.delete(reader);
    if (readers.size > 0) return;
    held.delete(key);
    isSaid = false;
    void say();
  };
}

export interface Watched<T> {
  /** Null before the first. */
  readonly value: T | null;
  /** Why there is no newer one; null while all is well. */
  readonly problem: ApiError | null;
}

/** What `read` makes of the answers to `paths`, anew when one of them is another; it is looked `everyS` seconds whether one is. */
export function useWatched<T>(everyS: number, paths: readonly string[], read: (answers: never) => T): Watched<T> {
  const key = paths.join('\n');
  const [{ of, ...watched }, setWatched] = useState<Watched<T> & { readonly of: string }>({
    ...{ of: key, value: null, problem: null },
  });
  useEffect(() => {
    const stale = {};
    const end = watch(everyS, paths, {
      take: (answers) => {
        noteStale(stale, null);
        // What is told at a path is known to whoever asks for it.
        setWatched({ of: key, value: read(answers as never), problem: null });
      },
      fail: (problem) =>
        setWatched((before) => {
          const value = before.of === key ? before.value : null;
          if (value !== null) noteStale(stale, problem.message);
          return { of: key, value, problem };
        }),
    });
    return () => {
      end();
      noteStale(stale, null);
    };
  }, [key, everyS]);
  return of === key ? watched : { value: null, problem: null };
}
