/** Where the function is that makes a balancer: said so that every thread can load it. */
import type { Balancer, BalancerOptions } from '../balance/index.ts';

export interface BalancerPlace {
  /** The URL of a module, as `import.meta.resolve` gives it. */
  readonly module: string;
  /** What it exports it as; a dot leads into an object. */
  readonly exported: string;
}

export type BalancerFactory = (options: BalancerOptions) => Balancer;

/** Throws a TypeError if there is no function. */
export async function loadFactory({ module, exported }: BalancerPlace): Promise<BalancerFactory> {
  let found: unknown = await import(module);
  for (const name of exported.split('.')) found = (found as Readonly<Record<string, unknown>> | undefined)?.[name];
  if (typeof found !== 'function') throw new TypeError(`${module} has no function “${exported}”.`);
  return found as BalancerFactory;
}
