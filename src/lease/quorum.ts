/**
 * Asking several independent servers at once, until it is decided what they say together.
 *
 * Each answer is looked at when it comes; what has not come within `timeoutMs` counts as a failure. Once it is decided, the signal is aborted: what has not
 * been sent by then is not, and later answers mean nothing. At most one timer, none afterwards.
 */
import type { Clock } from '../kernel/clock.ts';
import { SpillwayError } from '../kernel/errors.ts';

/** What is known by now. */
export interface Tally<Reply> {
  readonly replies: readonly Reply[];
  readonly failures: readonly unknown[];
  /** How many may still answer. */
  readonly open: number;
}

export interface Poll<Node, Reply, Verdict> {
  readonly nodes: readonly Node[];
  readonly ask: (node: Node, signal: AbortSignal) => Promise<Reply>;
  /** Null as long as an open answer could change it; must not be when none is open. */
  readonly decide: (tally: Tally<Reply>) => Verdict | null;
  readonly clock: Clock;
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** More than half, so that any two have a node in common; of an even number too. */
export function quorumOf(nodes: number): number {
  return Math.floor(nodes / 2) + 1;
}

export async function poll<Node, Reply, Verdict>({
  nodes,
  ask,
  decide,
  clock,
  timeoutMs,
  signal,
}: Poll<Node, Reply, Verdict>): Promise<Verdict> {
  const { promise, resolve, reject } = Promise.withResolvers<Verdict>();
  const decided = new AbortController();
  const replies: Reply[] = [];
  const failures: unknown[] = [];
  const look = (open: number): void => {
    if (decided.signal.aborted) return;
    try {
      const verdict = decide({ replies, failures, open });
      if (verdict === null) return;
      resolve(verdict);
    } catch (error) {
      reject(error);
    }
    decided.abort();
  };
  const left = (): number => nodes.length - replies.length - failures.length;
  const silent = (): void => {
    for (let open = left(); open > 0; open--) {
      failures.push(new SpillwayError('STORE_UNAVAILABLE', `no answer within ${timeoutMs} ms`, { retryable: true }));
    }
    look(0);
  };
  const timer = clock.after(timeoutMs, silent, { ref: true });
  const asked = AbortSignal.any([signal, decided.signal]);
  for (const node of nodes) {
    ask(node, asked).then(
      (reply) => {
        if (!decided.signal.aborted) replies.push(reply);
        look(left());
      },
      (error: unknown) => {
        if (!decided.signal.aborted) failures.push(error);
        look(left());
      },
    );
  }
  try {
    return await promise;
  } finally {
    timer.clear();
  }
}
