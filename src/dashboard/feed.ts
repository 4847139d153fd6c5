/**
 * The live feed in the page: asks for `/api/live`, keeps the newest state, and asks again when the stream ends or is silent. By `fetch`,
 * not `EventSource`, which cannot send a token. A tab that is hidden lets it go: a browser has six connections to a place, for all its tabs.
 */
import { signal } from '@preact/signals';
import { applyChange, type LiveChange, type LiveState } from '../gateway/admin/live-model.ts';
import type { WatchNews } from '../gateway/admin/watch-model.ts';
import type { Clock } from '../kernel/clock.ts';
import { ApiError, call, role, tokensGiven, tokenWanted, wantToken } from './api.ts';
import { tab } from './browser.ts';
import { EventStream } from './event-stream.ts';
import { remember } from './history.ts';
import { say, takeAnswers, watchBy } from './watched.ts';

/** Null before the first. */
export const live = signal<LiveState | null>(null);

/** What the percentiles of the feed are of, in words. */
export function latenciesText(): string {
  return live.value?.gateway.latenciesOf === 'start' ? 'since the start' : 'of the last minute';
}

/** How often the whole was told: what came before it was not seen. */
export const wholes = signal(0);

export type Link =
  /** Or about to, when the tab is shown again. */
  | { readonly state: 'connecting' }
  | { readonly state: 'live' }
  /** Since `sinceMs` nothing is known; what is shown is from then. */
  | { readonly state: 'lost'; readonly why: string; readonly sinceMs: number };

export const link = signal<Link>({ state: 'connecting' });

/** The gateway tells something each second. */
const SILENCE_MS = 5_000;
const AGAIN_MS = { min: 500, max: 5_000 };

export function followLive(clock: Clock): void {
  let delayMs = AGAIN_MS.min;
  let heardMs = clock.wallMs();
  const lose = (why: string): void => void (link.value = { state: 'lost', why, sinceMs: heardMs });
  const run = async (): Promise<void> => {
    await shown();
    const asked = tokensGiven.peek();
    const over = new AbortController();
    const stops = [
      tab.onChange(() => {
        if (tab.isHidden) over.abort();
      }),
      tokensGiven.subscribe((given) => {
        if (given !== asked) over.abort();
      }),
    ];
    try {
      await follow(clock, over.signal, () => {
        delayMs = AGAIN_MS.min;
        heardMs = clock.wallMs();
      });
      lose('The gateway ended the connection.');
    } catch (error) {
      if (over.signal.aborted) {
        link.value = { state: 'connecting' };
        void run();
        return;
      }
      // A token that may not even look is as good as none.
      if (error instanceof ApiError && error.status === 403) wantToken(error.message);
      if (error instanceof ApiError && (error.status === 401 || error.status === 403)) {
        waitForToken(run);
        return;
      }
      lose(error instanceof ApiError ? error.message : 'The connection to the gateway broke.');
    } finally {
      for (const stop of stops) stop();
    }
    clock.after(delayMs, () => void run());
    delayMs = Math.min(delayMs * 2, AGAIN_MS.max);
  };
  void run();
}

/** At once, unless nobody can see this tab. */
function shown(): Promise<void> {
  if (!tab.isHidden) return Promise.resolve();
  return new Promise((resolve) => {
    const stop = tab.onChange(() => {
      if (tab.isHidden) return;
      stop();
      resolve();
    });
  });
}

function waitForToken(then: () => Promise<void>): void {
  const stop = tokenWanted.subscribe((wanted) => {
    if (wanted !== null) return;
    // Not while the signal still tells it: `stop` is not there yet.
    queueMicrotask(() => {
      stop();
      void then();
    });
  });
}

async function follow(clock: Clock, over: AbortSignal, onEvent: () => void): Promise<void> {
  const silence = new AbortController();
  const watch = () => clock.after(SILENCE_MS, () => silence.abort());
  let timer = watch();
  try {
    const response = await call('/api/live', { signal: AbortSignal.any([silence.signal, over]) });
    role.value = response.headers.get('Spillway-Role') ?? '';
    watchBy(response.headers.get('Spillway-Stream') ?? '');
    // Everybody may look here, so this is no refusal.
    if (response.headers.has('Spillway-Token')) void wantToken('The gateway does not know this token.');
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    const events = new EventStream();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      timer.clear();
      timer = watch();
      for (const { event, data } of events.add(value)) take(event, data);
      onEvent();
    }
  } finally {
    watchBy('');
    timer.clear();
    silence.abort();
  }
}

function take(event: string, data: string): void {
  if (event === 'answers') {
    takeAnswers(JSON.parse(data) as WatchNews);
    return;
  }
  const before = live.value;
  let after: LiveState;
  if (event === 'whole') after = JSON.parse(data) as LiveState;
  else if (event === 'change' && before !== null) after = applyChange(before, JSON.parse(data) as LiveChange);
  else return;
  live.value = after;
  remember(after);
  if (event === 'whole') wholes.value += 1;
  link.value = { state: 'live' };
  void say();
}
