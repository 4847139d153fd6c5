/** Limits as a config would compile them, for a snapshot that a test makes by hand. */
import { compileLimit } from '../../src/gateway/config/compile-limit.ts';
import { CellStore } from '../../src/gateway/config/cell-store.ts';
import { limitSchema } from '../../src/gateway/config/limit-schema.ts';
import type { LimitPlan, LimitUse } from '../../src/gateway/limits/plan.ts';
import type * as z from 'zod';
import type { Bench, TestGateway } from './bench.ts';
import type { Message } from './message.ts';
import { answer, type Origin } from './origin.ts';
import type { Peer } from './peer.ts';
import type { Changes } from './plans.ts';

/** Lane 0 is the control thread's, 1 the data plane's. */
const cells = (): CellStore => new CellStore(2);

export type LimitInput = z.input<typeof limitSchema>;

export function limitPlans(inputs: readonly LimitInput[], store = cells()): LimitPlan[] {
  return inputs.map((input) => compileLimit(limitSchema.parse(input), store, input.store?.redis));
}

/** What a gateway is to be made with so that its one route meets these limits. */
export function limited(inputs: readonly LimitInput[], changes: Changes = {}): Changes {
  return { ...changes, requestLimits: limitPlans(inputs), route: { ...changes.route, requestLimits: usesOf(inputs) } };
}

function usesOf(inputs: readonly LimitInput[]): LimitUse[] {
  return inputs.map(({ name }) => ({ limit: name, cost: 1 }));
}

/** A gateway with limits before an origin, which answers each request with the body that `reply` makes of it. */
export async function limitedLine(
  bench: Bench,
  inputs: readonly LimitInput[],
  changes: Changes = {},
  reply: (request: Message) => string = () => 'ok',
): Promise<{ origin: Origin; gateway: TestGateway; client: Peer }> {
  const made = await bench.line(limited(inputs, changes));
  made.origin.serve((request, connection) => {
    connection.write(answer(reply(request)));
  });
  return made;
}
