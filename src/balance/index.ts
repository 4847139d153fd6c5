/** `spillway/balance`: choosing a server. */
export { algorithms, type BalancerName, createBalancer } from './algorithms.ts';
export { type Balancer, type BalancerOptions, createPickContext, type PickContext } from './balancer.ts';
export { clearLane, clearSlot, createLoads, createLoadTable, Loads, type LoadTable } from './loads.ts';
export { rampAt, SlowStart, type SlowStartOptions } from './slow-start.ts';
export { type Tiered, Tiers } from './tiers.ts';
