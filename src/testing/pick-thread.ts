/**
 * A thread that loads a balancer's module for itself and picks: what `balancer-contract.ts` compares threads by. Started with one
 * job, says the result, ends.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { type BalancerOptions, createPickContext, type LoadTable, Loads } from '../balance/index.ts';
import { type BalancerPlace, loadFactory } from './balancer-place.ts';
import { places } from './balancer-drive.ts';

export interface PickJob {
  readonly place: BalancerPlace;
  readonly options: Pick<BalancerOptions, 'weights' | 'names' | 'start'>;
  readonly table: LoadTable;
  readonly lane: number;
  readonly keys: Int32Array;
  readonly eligible: Uint8Array;
  /** Whether what is picked is also started, and never finished. */
  readonly starts: boolean;
}

const { place, options, table, lane, keys, eligible, starts } = workerData as PickJob;
const loads = new Loads(table, lane);
const balancer = (await loadFactory(place))({ ...options, loads });
const counting = {
  pick(context: Parameters<typeof balancer.pick>[0]): number {
    const index = balancer.pick(context);
    if (starts) loads.started(index, context.nowMs);
    return index;
  },
};
const context = createPickContext(options.weights.length);
context.eligible.set(eligible);
parentPort?.postMessage(places(counting, keys, context));
