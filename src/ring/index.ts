/** `spillway/ring`: consistent hashing, which node has a key and what moves when the nodes change. */
export { murmur3 } from '../kernel/murmur3.ts';
export { xxh64 } from '../kernel/xxh64.ts';
export { type AnchorOptions, createAnchor } from './anchor.ts';
export { type BoundedLoads, createBoundedLoads, LoadBound, type NodeLoads } from './bounded-load.ts';
export { createJump } from './jump.ts';
export { createMaglev, type MaglevOptions } from './maglev.ts';
export { createModulo } from './modulo.ts';
export type { Node } from './node.ts';
export type { Arcs, Explanation, Flow, Key, Placement } from './placement.ts';
export { openPlacement } from './open.ts';
export { type Move, type Plan, plan, type Range } from './plan.ts';
export { planPicture } from './plan-picture.ts';
export { planTable } from './plan-table.ts';
export { createRendezvous } from './rendezvous.ts';
export { createRing, type RingOptions } from './ring.ts';
