/** What is still shown though a newer answer did not come, and why: said once, over the screen, so that no screen has to. */
import { computed, signal } from '@preact/signals';

const reasons = signal<ReadonlyMap<object, string>>(new Map());

/** Null while all that is shown is as new as it should be. */
export const staleReason = computed((): string | null => reasons.value.values().next().value ?? null);

/** `of` is whatever is shown; null: it is new again, or no longer shown. */
export function noteStale(of: object, why: string | null): void {
  const before = reasons.peek();
  if ((before.get(of) ?? null) === why) return;
  const next = new Map(before);
  if (why === null) next.delete(of);
  else next.set(of, why);
  reasons.value = next;
}
