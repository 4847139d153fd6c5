/**
 * Listening to PostgreSQL (LISTEN) on a connection of its own, for as long as it is open: one that is lost is made anew.
 *
 * What was said while there was no connection is lost. So `onListening` is called each time that it begins to listen: what was missed can be
 * asked for then; and `onLost` each time that it does so no more. Nothing here throws and nothing rejects. A connection that is dead without a
 * sign is found by TCP alone, so whoever listens asks from time to time too.
 */
import { type Backoff, backoffMs } from '../kernel/backoff.ts';
import type { Clock, Timer } from '../kernel/clock.ts';
import type { Random } from '../kernel/random.ts';

/** What is used of a connected `Client` of pg. */
export interface PostgresListenClient {
  query(text: string): Promise<unknown>;
  on(
    event: 'notification',
    listener: (message: { readonly channel: string; readonly payload?: string | undefined }) => void,
  ): unknown;
  on(event: 'error', listener: (error: Error) => void): unknown;
  on(event: 'end', listener: () => void): unknown;
  end(): Promise<unknown>;
  /** Waiting for news alone keeps no process alive. */
  unref?(): unknown;
}

export interface PostgresListenerOptions {
  /** Makes a connection that is connected. */
  readonly connect: () => Promise<PostgresListenClient>;
  /** `a-z 0-9 _`, a letter first. */
  readonly channel: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly onListening: () => void;
  readonly onLost: () => void;
  readonly onMessage: (message: string) => void;
}

/** Soon after the first loss, for a server that was restarted; seldom if it stays away. */
const BACKOFF: Backoff = { shortestMs: 25, baseMs: 50, longestMs: 5000 };

export class PostgresListener {
  readonly #options: PostgresListenerOptions;
  #state: 'idle' | 'open' | 'closed' = 'idle';
  #client: PostgresListenClient | null = null;
  #timer: Timer | null = null;
  #failures = 0;
  #isListening = false;

  constructor(options: PostgresListenerOptions) {
    this.#options = options;
  }

  /** Whether what is said now is heard. */
  get isListening(): boolean {
    return this.#isListening;
  }

  /** Idempotent, and returns before it listens. */
  open(): void {
    if (this.#state !== 'idle') return;
    this.#state = 'open';
    void this.#connect();
  }

  /** For good. Idempotent. */
  async close(): Promise<void> {
    this.#state = 'closed';
    this.#isListening = false;
    this.#timer?.clear();
    const client = this.#client;
    this.#client = null;
    await client?.end().catch(() => {});
  }

  async #connect(): Promise<void> {
    const { connect, channel, onListening, onMessage } = this.#options;
    let client: PostgresListenClient | null = null;
    try {
      client = await connect();
      const mine = client;
      const lost = (): void => this.#lost(mine);
      client.on('error', lost);
      client.on('end', lost);
      client.on('notification', ({ channel: said, payload }) => {
        if (said === channel && payload !== undefined && this.#client === mine) onMessage(payload);
      });
      client.unref?.();
      this.#client = client;
      if (this.#state !== 'open') return await this.close();
      await client.query(`LISTEN ${channel}`);
      if (this.#client !== client) return;
      this.#failures = 0;
      this.#isListening = true;
      onListening();
    } catch {
      if (client === null) this.#again();
      else this.#lost(client);
    }
  }

  #lost(client: PostgresListenClient): void {
    if (this.#client !== client) return;
    this.#client = null;
    client.end().catch(() => {});
    this.#again();
    if (!this.#isListening) return;
    this.#isListening = false;
    this.#options.onLost();
  }

  #again(): void {
    if (this.#state !== 'open') return;
    const { clock, random } = this.#options;
    this.#failures += 1;
    this.#timer = clock.after(backoffMs(BACKOFF, this.#failures, random), () => void this.#connect());
  }
}
