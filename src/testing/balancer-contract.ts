/**
 * What every balancer does, whatever it goes by. Run it against your own:
 *
 *     import { test } from 'node:test';
 *     import { balancerContract } from 'spillway/testing';
 *
 *     const module = import.meta.resolve('./my-balancer.ts');
 *     const cases = await balancerContract({ name: 'mine', module, exported: 'createMine', kind: 'load' });
 *     for (const { name, run } of cases) test(name, run);
 *
 * Everything is replayed from fixed seeds: a case fails each time or never. Chance is allowed five standard deviations.
 * A subject takes some two seconds, most of them for counting what a million picks allocate.
 */
import { loadFactory } from './balancer-place.ts';
import type { BalancerSubject } from './balancer-subject.ts';
import { clausesOfAll } from './clauses-of-all.ts';
import { clausesOfKeys } from './clauses-of-keys.ts';
import { clausesOfLoad, clausesOfTurns } from './clauses-of-threads.ts';
import { type ContractCase, contractCases } from './contract.ts';

/** The cases for a subject; loads its module. */
export async function balancerContract(subject: BalancerSubject): Promise<ContractCase[]> {
  const create = await loadFactory(subject);
  const clauses = clausesOfAll(subject, create);
  switch (subject.kind) {
    case 'turn':
      Object.assign(clauses, clausesOfTurns(subject, create));
      break;
    case 'load':
      Object.assign(clauses, clausesOfLoad(subject));
      break;
    case 'key':
      Object.assign(clauses, clausesOfKeys(subject, create));
      break;
    case 'chance':
      break;
    default:
      subject.kind satisfies never;
  }
  return contractCases(subject.name, clauses, subject.deviations);
}
