/** Rules about limits: names, who uses them, and numbers that never let anybody pass. */
import { algorithmOf } from '../limits/plan.ts';
import type { LimitUse } from '../limits/plan.ts';
import type { Limit } from './limit-schema.ts';
import type { MistakeList, Path } from './mistakes.ts';
import { oneOfNames, show } from './mistakes.ts';
import type { Part, Parts } from './parts.ts';

export function checkLimits({ limits, listeners, routes }: Parts, list: MistakeList): void {
  const used = new Set<string>();
  const check = (
    section: string,
    parts: readonly Part<{ readonly limits: { readonly requests: readonly LimitUse[] } }>[],
  ): void => {
    for (const [index, { value }] of parts.entries()) {
      const path: Path = [section, index, 'limits', 'requests'];
      checkUses(value?.limits.requests ?? [], path, limits, list);
      for (const { limit } of value?.limits.requests ?? []) used.add(limit);
    }
  };
  check('listeners', listeners);
  check('routes', routes);
  // One that is not understood may be who uses it.
  if ([...listeners, ...routes].some(({ value }) => value === null)) return;
  for (const [index, { name }] of limits.entries()) {
    if (name === null || used.has(name)) continue;
    const message = `limit ${show(name)} limits nothing: no listener and no route names it`;
    list.warning(['limits', index, 'name'], {
      message,
      expected: 'its name in limits.requests of a listener or route',
    });
  }
}

function checkUses(uses: readonly LimitUse[], path: Path, limits: readonly Part<Limit>[], list: MistakeList): void {
  const names = [...new Set(limits.flatMap(({ name }) => (name === null ? [] : [name])))];
  for (const [at, { limit, cost }] of uses.entries()) {
    const place: Path = [...path, at];
    if (!names.includes(limit)) {
      list.error(place, { message: `there is no limit ${show(limit)}`, ...oneOfNames(limit, names, 'one of') });
      continue;
    }
    if (uses.findIndex((other) => other.limit === limit) < at) {
      list.error(place, { message: `limit ${show(limit)} is named twice`, expected: 'each limit once' });
    }
    const algorithm = limits.find(({ name }) => name === limit)?.value?.algorithm;
    const most = algorithm === undefined ? Infinity : algorithmOf(algorithm).limit;
    if (cost <= most) continue;
    const message = `a request would cost more than limit ${show(limit)} ever has, and none would pass`;
    list.error([...place, 'cost'], { message, found: String(cost), expected: `at most ${most}` });
  }
}
