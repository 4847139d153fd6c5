/** Rules about limits: names, who uses them, numbers that never let anybody pass, and stores. */
import { algorithmOf } from '../limits/plan.ts';
import type { LimitUse } from '../limits/plan.ts';
import type { Limit } from './limit-schema.ts';
import type { MistakeList, Path } from '../../reading/mistakes.ts';
import { oneOfNames, show } from '../../reading/mistakes.ts';
import type { Part, Parts } from './parts.ts';
import type { RuleContext } from './rule-context.ts';
import { checkRedisUrl, readRedisUrl } from './redis-url.ts';
import type { PointedPlaces } from './secret.ts';

export function checkLimits(parts: Parts, list: MistakeList, context: RuleContext): void {
  const { limits, listeners, routes } = parts;
  checkStores(parts, list, context);
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

function checkStores(parts: Parts, list: MistakeList, context: RuleContext): void {
  for (const [index, { value }] of parts.limits.entries()) {
    const store = value?.store ?? null;
    if (store === null) continue;
    const path: Path = ['limits', index, 'store', 'redis'];
    checkRedisUrl(store.redis, path, list, context);
    if (context.redisClient !== null) continue;
    const message = 'no package to reach Redis with is installed';
    list.error(path, { message, expected: 'ioredis or redis beside Spillway: npm install ioredis' });
  }
  checkTogether(parts, list, context);
}

/** A request takes from all of its limits or from none, and only one store can promise that. */
function checkTogether({ limits, listeners, routes }: Parts, list: MistakeList, places: PointedPlaces): void {
  const storeOf = new Map<string, string>();
  for (const { value } of limits) {
    const store = value?.store ?? null;
    const read = store === null ? null : readRedisUrl(store.redis, places);
    if (read?.ok === true) storeOf.set(value!.name, `${store!.prefix} ${read.text}`);
  }
  if (new Set(storeOf.values()).size < 2) return;
  const usesOf = (part: Part<{ readonly limits: { readonly requests: readonly LimitUse[] } }>): readonly LimitUse[] =>
    part.value?.limits.requests ?? [];
  const check = (path: Path, uses: readonly LimitUse[]): boolean => {
    const kept = uses.filter(({ limit }) => storeOf.has(limit));
    const other = kept.find(({ limit }) => storeOf.get(limit) !== storeOf.get(kept[0]!.limit));
    if (other === undefined) return true;
    const message = `a request would meet limits ${show(kept[0]!.limit)} and ${show(other.limit)}, which are in two stores`;
    list.error(path, { message, expected: 'all in one store: it takes from all of them or from none' });
    return false;
  };
  const sound = listeners.map((part, index) => check(['listeners', index, 'limits', 'requests'], usesOf(part)));
  for (const [index, route] of routes.entries()) {
    const at: Path = ['routes', index, 'limits', 'requests'];
    if (usesOf(route).length === 0 || !check(at, usesOf(route))) continue;
    const { listeners: only = null } = route.value?.match ?? {};
    for (const [from, listener] of listeners.entries()) {
      if (!sound[from] || (only !== null && !only.includes(listener.name ?? ''))) continue;
      if (!check(at, [...usesOf(listener), ...usesOf(route)])) break;
    }
  }
}

/** Where valid limits count that have a store, by limit. */
export function storeUrls(limits: readonly Limit[], places: PointedPlaces): Readonly<Record<string, string>> {
  const urls = limits.flatMap(({ name, store }): [string, string][] => {
    const read = store === null ? null : readRedisUrl(store.redis, places);
    return read?.ok === true ? [[name, read.text]] : [];
  });
  return Object.fromEntries(urls);
}
