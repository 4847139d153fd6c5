/** What the contract of lease stores asks with: claims, and the stores of several processes at the same servers. */
import assert from 'node:assert/strict';
import type { Instant } from '../lease/instant.ts';
import { type Claim, type LeaseStore, WHOLE } from '../lease/store.ts';

/** Longer than anything here takes on a busy machine. */
const PATIENCE_MS = 30_000;

let claims = 0;

/** `at(n)` is the store of the nth process. */
export class LeaseProcesses {
  readonly stores: readonly LeaseStore[];
  readonly ttlMs: number;

  constructor(stores: readonly LeaseStore[], ttlMs: number) {
    this.stores = stores;
    this.ttlMs = ttlMs;
  }

  at(process: number): LeaseStore {
    return this.stores[process]!;
  }

  claim(change: Partial<Claim> = {}): Claim {
    claims += 1;
    const id = claims.toString(16).padStart(32, '0');
    return {
      key: 'payment:42',
      id,
      holder: `holder ${claims}`,
      share: WHOLE,
      of: WHOLE,
      ttlMs: this.ttlMs,
      queue: false,
      ...change,
    };
  }

  async granted(process: number, claim: Claim): Promise<bigint> {
    return (await this.held(process, claim)).token;
  }

  /** One that is granted, and from when its ttl counts. */
  async held(process: number, claim: Claim): Promise<{ readonly token: bigint; readonly fromMs: number }> {
    const askedMs = this.at(process).clock.nowMs();
    const answer = await this.at(process).try(claim, patience());
    assert.ok(answer.granted, `${claim.holder} should be granted “${claim.key}”`);
    return { token: answer.token, fromMs: countsFrom(claim, answer.since, askedMs) };
  }

  async busy(process: number, claim: Claim): Promise<number> {
    const answer = await this.at(process).try(claim, patience());
    assert.ok(!answer.granted, `${claim.holder} should be told that “${claim.key}” is busy`);
    assert.ok(answer.againMs > 0, `againMs is ${answer.againMs}`);
    return answer.againMs;
  }

  release(process: number, claim: Claim): Promise<void> {
    return this.at(process).release(claim, patience());
  }

  async renew(process: number, claim: Claim): Promise<boolean> {
    return (await this.renewed(process, claim)) !== null;
  }

  /** From when its ttl counts; null: it is over. */
  async renewed(process: number, claim: Claim): Promise<number | null> {
    const askedMs = this.at(process).clock.nowMs();
    const renewal = await this.at(process).renew(claim, patience());
    return renewal.held ? countsFrom(claim, renewal.since, askedMs) : null;
  }

  /** Asks until it is granted, when it is told to or `againMs` is over; answers when that was asked. */
  async wait(process: number, claim: Claim): Promise<{ readonly token: bigint; readonly askedMs: number }> {
    const { clock } = this.at(process);
    let wake = (): void => {};
    const unwatch = this.at(process).watch(claim.key, claim, () => wake());
    try {
      for (;;) {
        const woken = new Promise<void>((resolve) => (wake = resolve));
        const askedMs = clock.nowMs();
        const answer = await this.at(process).try(claim, patience());
        if (answer.granted) return { token: answer.token, askedMs };
        const timer = Promise.withResolvers<void>();
        const again = clock.after(Math.min(answer.againMs, PATIENCE_MS), timer.resolve, { ref: true });
        await Promise.race([woken, timer.promise]);
        again.clear();
      }
    } finally {
      unwatch();
    }
  }
}

export function patience(): { readonly signal: AbortSignal } {
  return { signal: AbortSignal.timeout(PATIENCE_MS) };
}

function countsFrom({ holder, ttlMs }: Claim, since: Instant | undefined, askedMs: number): number {
  const fromMs = since?.nowMs ?? askedMs;
  assert.ok(fromMs > askedMs - ttlMs, `${holder} is granted what was over when it was asked for`);
  return fromMs;
}
