/**
 * The live feed in the page: asks for `/api/live`, keeps the newest state, and asks again when the stream ends or is silent. By `fetch`,
 * not `EventSource`, which cannot send a token.
 */
import { signal } from '@preact/signals';
import { applyChange, type LiveChange, type LiveState } from '../gateway/admin/live-model.ts';
import type { Clock } from '../kernel/clock.ts';
import { ApiError, call, role, tokenWanted, wantToken } from './api.ts';
import { EventStream } from './event-stream.ts';
import { remember } from './history.ts';

/** Null before the first. */
export const live = signal<LiveState | null>(null);

export type Link =
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
  const run = async (): Promise<void> => {
    try {
      await follow(clock, () => (delayMs = AGAIN_MS.min));
      lose(clock, 'The gateway ended the connection.');
    } catch (error) {
      // A token that may not even look is as good as none.
      if (error instanceof ApiError && error.status === 403) wantToken(error.message);
      if (error instanceof ApiError && (error.status === 401 || error.status === 403)) {
        waitForToken(run);
        return;
      }
      lose(clock, error instanceof ApiError ? error.message : 'The connection to the gateway broke.');
    }
    clock.after(delayMs, () => void run());
    delayMs = Math.min(delayMs * 2, AGAIN_MS.max);
  };
  void run();
}

function lose(clock: Clock, why: string): void {
  const sinceMs = link.value.state === 'lost' ? link.value.sinceMs : clock.wallMs();
  link.value = { state: 'lost', why, sinceMs };
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

async function follow(clock: Clock, onEvent: () => void): Promise<void> {
  const silence = new AbortController();
  const watch = () => clock.after(SILENCE_MS, () => silence.abort());
  let timer = watch();
  try {
    const response = await call('/api/live', { signal: silence.signal });
    role.value = response.headers.get('Spillway-Role') ?? '';
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
    timer.clear();
    silence.abort();
  }
}

function take(event: string, data: string): void {
  const before = live.value;
  let after: LiveState;
  if (event === 'whole') after = JSON.parse(data) as LiveState;
  else if (event === 'change' && before !== null) after = applyChange(before, JSON.parse(data) as LiveChange);
  else return;
  live.value = after;
  remember(before, after);
  link.value = { state: 'live' };
}
