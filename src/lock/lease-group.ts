/**
 * Several leases as one: over when the first of them is. Its token is the greatest of theirs. As tokens grow across all keys of a store, it is greater
 * than those of all who held any of the keys before; and smaller than those of all who will, as all were held when the last was granted: it fences
 * each of them.
 */
import type { Lease } from '../lease/lease.ts';

export class LeaseGroup implements Lease {
  readonly #leases: readonly Lease[];
  readonly key: string;
  readonly token: bigint;
  readonly signal: AbortSignal;
  #released: Promise<boolean> | null = null;

  constructor(leases: readonly Lease[]) {
    this.#leases = leases;
    this.key = leases.map(({ key }) => key).join(', ');
    this.token = leases.reduce((greatest, { token }) => (token > greatest ? token : greatest), 0n);
    this.signal = AbortSignal.any(leases.map(({ signal }) => signal));
  }

  remainingMs(): number {
    return Math.min(...this.#leases.map((lease) => lease.remainingMs()));
  }

  assertHeld(): void {
    for (const lease of this.#leases) lease.assertHeld();
  }

  release(): Promise<boolean> {
    // Whoever waits for several waits for the first of them, and should not be woken before it can have the others.
    this.#released ??= Promise.all(this.#leases.toReversed().map((lease) => lease.release())).then((all) =>
      all.every(Boolean),
    );
    return this.#released;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.release();
  }
}
