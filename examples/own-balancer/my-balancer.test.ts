/** The contract that Spillway's own balancers are held to, for one of one's own. Run: `npm test -- examples/own-balancer`. */
import { test } from 'node:test';
import { balancerContract } from 'spillway/testing';

const module = import.meta.resolve('./my-balancer.ts');
const cases = await balancerContract({ name: 'mine', module, exported: 'createMine', kind: 'chance' });
for (const { name, run } of cases) test(name, run);
