/** Limits as a config would compile them, for a snapshot that a test makes by hand. */
import { compileLimit } from '../../src/gateway/config/compile-limit.ts';
import { CellStore } from '../../src/gateway/config/cell-store.ts';
import { limitSchema } from '../../src/gateway/config/limit-schema.ts';
import type { LimitPlan, LimitUse } from '../../src/gateway/limits/plan.ts';
import type * as z from 'zod';
import type { Changes } from './plans.ts';

/** Lane 0 is the control thread's, 1 the data plane's. */
const cells = (): CellStore => new CellStore(2);

export type LimitInput = z.input<typeof limitSchema>;

function limitPlans(inputs: readonly LimitInput[], store = cells()): LimitPlan[] {
  return inputs.map((input) => compileLimit(limitSchema.parse(input), store));
}

/** What a gateway is to be made with so that its one route meets these limits. */
export function limited(inputs: readonly LimitInput[], changes: Changes = {}): Changes {
  return { ...changes, requestLimits: limitPlans(inputs), route: { ...changes.route, requestLimits: usesOf(inputs) } };
}

function usesOf(inputs: readonly LimitInput[]): LimitUse[] {
  return inputs.map(({ name }) => ({ limit: name, cost: 1 }));
}
