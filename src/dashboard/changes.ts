/** What changed lately (`/api/changes`), asked for when the live feed says that there is something newer. Newest first. */
import { effect, signal } from '@preact/signals';
import type { Change } from '../gateway/control/change-log.ts';
import { ApiError, getJson } from './api.ts';
import { live } from './feed.ts';
import { noteStale } from './stale.ts';

/** As many as the gateway keeps. */
const CHANGES_MAX = 1000;

export const changes = signal<readonly Change[]>([]);

export function followChanges(): void {
  let known = { startedAt: '', id: 0 };
  let isAsking = false;
  const ask = async (): Promise<void> => {
    const { startedAt = '', lastChange = 0 } = live.peek()?.gateway ?? {};
    if (isAsking || (startedAt === known.startedAt && lastChange === known.id)) return;
    isAsking = true;
    try {
      // Of another process, or of one that began anew, all; its ids begin at one again.
      const after = startedAt === known.startedAt ? known.id : 0;
      const { changes: newer } = await getJson<{ changes: Change[] }>(`/api/changes?after=${after}`);
      changes.value = [...newer, ...(after === 0 ? [] : changes.peek())].slice(0, CHANGES_MAX);
      known = { startedAt, id: newer[0]?.id ?? lastChange };
      noteStale(changes, null);
    } catch (error) {
      // With the next second of the feed this is tried again.
      noteStale(changes, error instanceof ApiError ? error.message : String(error));
    } finally {
      isAsking = false;
    }
  };
  effect(() => {
    if (live.value !== null) void ask();
  });
}
