/** What the simulation goes by, and what a mutant does otherwise: each rule is a seam that product code has anyway. */
import type { Instant } from '../../src/lease/instant.ts';
import { countedFrom } from '../../src/lease/session-time.ts';
import type { Claim } from '../../src/lease/store.ts';
import { nextToken, releaseClaim, renewClaim, tryClaim } from '../../src/lease/table.ts';
import type { Machine } from './simulated-time.ts';

export interface Rules {
  readonly tryClaim: typeof tryClaim;
  readonly renewClaim: typeof renewClaim;
  readonly releaseClaim: typeof releaseClaim;
  readonly nextToken: typeof nextToken;
  /** How a client reads its clocks. */
  readonly read: (machine: Machine) => Instant;
  /** What a client takes its claim for. */
  readonly believed: (claim: Claim) => Claim;
  /** From when a client counts the ttl of what was granted, which lasts as long as the server said. */
  readonly since: (
    asked: Instant,
    answered: Instant,
    given: { readonly ttlMs: number; readonly lastsMs: number },
  ) => Instant;
  /** Whether a client still heeds the answer to a question that it gave up. */
  readonly heedsLate: boolean;
}

export const honest: Rules = {
  tryClaim,
  renewClaim,
  releaseClaim,
  nextToken,
  read: (machine) => machine.now,
  believed: (claim) => claim,
  since: (asked, _, { ttlMs, lastsMs }) => countedFrom(asked, ttlMs, lastsMs),
  heedsLate: true,
};
