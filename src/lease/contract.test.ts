import { test } from 'node:test';
import { leaseStoreContract } from '../testing/index.ts';
import { memoryLeases } from './index.ts';
import type { LeaseStore } from './store.ts';

function open(): { readonly connect: () => LeaseStore } {
  const store = memoryLeases();
  return { connect: () => store };
}

for (const { name, run } of leaseStoreContract({ name: 'memory', open, ordered: true })) test(name, run);
