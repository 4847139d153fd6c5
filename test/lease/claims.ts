/** What tests of one store ask with: claims of the whole of a key, and what is expected of their answers. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import type { Claim, LeaseStore } from '../../src/lease/index.ts';
import { WHOLE } from '../../src/lease/store.ts';

/** For as long as it takes. */
export const waiting = { signal: new AbortController().signal };

export function claimOf(change: Partial<Claim> = {}): Claim {
  const id = randomBytes(16).toString('hex');
  return { key: 'k', id, holder: 'me', share: WHOLE, of: WHOLE, ttlMs: 60_000, queue: false, ...change };
}

export async function granted(store: LeaseStore, claim: Claim): Promise<bigint> {
  const answer = await store.try(claim, waiting);
  assert.ok(answer.granted);
  return answer.token;
}

export async function busy(store: LeaseStore, claim: Claim): Promise<void> {
  assert.equal((await store.try(claim, waiting)).granted, false);
}

/** Watches for a claim, and when it is told, tries. What fails as its connection ends is tried again when it is told again. */
export function turnOf(store: LeaseStore, claim: Claim): Promise<bigint> {
  const { promise, resolve } = Promise.withResolvers<bigint>();
  const unwatch = store.watch(claim.key, claim, () => {
    store.try(claim, waiting).then(
      (answer) => {
        if (!answer.granted) return;
        unwatch();
        resolve(answer.token);
      },
      () => {},
    );
  });
  return promise;
}

export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise<void>((resolve) => setImmediate(resolve));
}
