/** What changed lately (`/api/changes`), asked for when the live feed says that there is something newer. Newest first. */
import { effect, signal } from '@preact/signals';
import type { Change } from '../gateway/control/change-log.ts';
import { getJson } from './api.ts';
import { live } from './feed.ts';

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
    } catch {
      // The feed says what is wrong with the gateway; with its next second this is tried again.
    } finally {
      isAsking = false;
    }
  };
  effect(() => {
    if (live.value !== null) void ask();
  });
}
