/**
 * Claims that nobody asks for any more, in a store whose leases live as long as a session of this process: what is neither tried nor renewed for
 * its ttl is given back here, because the servers would keep it for as long as the process lives. Not before its holder takes it for over; and until
 * the servers have heard, again and again.
 *
 * Cost: a look at all claims five times a second, while there are any.
 */
import { abortable } from '../kernel/abort.ts';
import type { Clock, Timer } from '../kernel/clock.ts';
import type { Claim, Waiting } from './store.ts';

/** How late a lease is given to others that its holder forgot. */
const LOOK_MS = 200;
/** How long the servers are asked to take something back, before they are asked again. */
const GIVE_BACK_MS = 2000;

interface Asked {
  readonly claim: Claim;
  dueMs: number;
  /** Resolved when the servers have nothing of it; null as long as it is not being given back. */
  gone: PromiseWithResolvers<void> | null;
}

export class Unrenewed {
  readonly #clock: Clock;
  readonly #giveBack: (claim: Claim, waiting: Waiting) => Promise<void>;
  readonly #asked = new Map<string, Asked>();
  #timer: Timer | null = null;

  /** `giveBack` must be over when nobody waits any more; if it fails, it is called again. */
  constructor(clock: Clock, giveBack: (claim: Claim, waiting: Waiting) => Promise<void>) {
    this.#clock = clock;
    this.#giveBack = giveBack;
  }

  /** Somebody wants it: its time begins anew. Not before what is being given back is gone, which would otherwise take away what is asked for now. */
  async add(claim: Claim, signal?: AbortSignal): Promise<void> {
    const gone = this.#asked.get(claim.id)?.gone;
    if (gone) await abortable(gone.promise, signal);
    this.#asked.set(claim.id, { claim, dueMs: this.#clock.nowMs() + claim.ttlMs, gone: null });
    this.#timer ??= this.#clock.every(LOOK_MS, () => this.#look());
  }

  /** It is granted, and counts from now at the latest: its session may have been renewed, or made, while it was asked for. */
  granted({ id, ttlMs }: Claim): void {
    const asked = this.#asked.get(id);
    if (asked?.gone === null) asked.dueMs = this.#clock.nowMs() + ttlMs;
  }

  /** The servers have nothing of it. */
  delete(id: string): void {
    this.#asked.get(id)?.gone?.resolve();
    this.#asked.delete(id);
    if (this.#asked.size > 0) return;
    this.#timer?.clear();
    this.#timer = null;
  }

  clear(): void {
    for (const id of [...this.#asked.keys()]) this.delete(id);
  }

  #look(): void {
    const nowMs = this.#clock.nowMs();
    for (const asked of this.#asked.values()) {
      if (nowMs < asked.dueMs) continue;
      asked.dueMs = Number.POSITIVE_INFINITY;
      asked.gone ??= Promise.withResolvers();
      const waiting = { signal: AbortSignal.timeout(GIVE_BACK_MS) };
      this.#giveBack(asked.claim, waiting).catch(() => (asked.dueMs = this.#clock.nowMs() + LOOK_MS));
    }
  }
}
