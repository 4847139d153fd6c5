/**
 * Explains a request by what a running gateway knows, and what the stores of limits say that it would meet. Takes nothing.
 *
 * A store is connected to for this question alone: people ask rarely, and the control thread has no other use for it.
 */
import type { Clock } from '../../kernel/clock.ts';
import { createLimiter, sharedMemoryStore } from '../../limit/index.ts';
import { explain, type ExplainRequest, type Explanation, type KnownReader } from '../l7/explain.ts';
import { type ExplainedLimit, leftInMemory, leftOf, type LeftQuestion } from '../limits/explain-limits.ts';
import { memoriesOf } from '../limits/limits.ts';
import { algorithmOf } from '../limits/plan.ts';
import { Stores } from '../limits/stores.ts';
import type { Snapshot } from '../snapshot.ts';

type Left = ExplainedLimit['now'];

/** The lane of the control thread. */
const LANE = 0;

export async function explainLive(
  snapshot: Snapshot,
  request: ExplainRequest,
  known: KnownReader,
  clock: Clock,
): Promise<Explanation> {
  const inMemory = leftInMemory(snapshot);
  const questions: LeftQuestion[] = [];
  const first = explain(snapshot, request, known, (question) => {
    if (question.plan.store !== null) questions.push(question);
    return inMemory(question);
  });
  if (questions.length === 0) return first;
  const answers = await askStores(snapshot, questions, clock);
  const told = explain(snapshot, request, known, (question) => answers.get(idOf(question)) ?? inMemory(question));
  const silent = questions.filter((question) => answers.get(idOf(question)) === null);
  const names = [...new Set(silent.map(({ plan }) => plan.store?.name ?? ''))];
  const notes = names.map((name) => `${name} does not answer, so what is left there is not known.`);
  return { ...told, notes: [...told.notes, ...notes] };
}

/** Null for what is not known, because its store does not answer. */
async function askStores(
  snapshot: Snapshot,
  questions: readonly LeftQuestion[],
  clock: Clock,
): Promise<ReadonlyMap<string, Left>> {
  const stores = new Stores({ clock, lane: LANE, notice: () => {} });
  try {
    await stores.open({ limits: questions.map(({ plan }) => plan) });
    const memory = sharedMemoryStore(memoriesOf(snapshot.limits), { clock });
    const answered = questions.map(async (question): Promise<[string, Left]> => {
      const { plan, limiter: name, key, cost } = question;
      const store = stores.get(plan.store!, memory);
      const outage = { answer: 'open', deadline: plan.store!.outage.deadlineMs } as const;
      const limiter = createLimiter({ name, algorithm: algorithmOf(plan.algorithm), store, outage });
      const decision = await limiter.peek(key, { cost });
      return [idOf(question), decision.source === 'store' ? leftOf(decision, plan) : null];
    });
    return new Map(await Promise.all(answered));
  } finally {
    stores.close();
  }
}

function idOf({ limiter, key }: LeftQuestion): string {
  return `${limiter}\0${key}`;
}
