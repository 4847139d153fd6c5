/** What the keys of a store begin with, where several programs share a server. */
import { invalid } from '../kernel/options.ts';

const PREFIX = /^[\w.:-]{1,64}$/;

export function checkPrefix(what: string, prefix: unknown): void {
  if (typeof prefix === 'string' && PREFIX.test(prefix)) return;
  throw invalid(`${what}: prefix is “${String(prefix)}”; expected 1 to 64 of the characters a-z A-Z 0-9 _ . : -`);
}
