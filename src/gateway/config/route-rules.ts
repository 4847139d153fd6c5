/** Rules about routes: names, references, and routes that can never match. */
import { normalizePath, PATH_REFUSED, PATH_SAME } from '../l7/target.ts';
import { parsePathPattern } from '../routing/path-pattern.ts';
import { groupNames } from '../routing/regex-syntax.ts';
import { BUILT_IN_NAMES } from '../shaping/template.ts';
import { compileMatch } from './compile-route.ts';
import { HiddenRoutes } from './hidden-routes.ts';
import type { MistakeList, Path } from '../../reading/mistakes.ts';
import { oneOfNames, show } from '../../reading/mistakes.ts';
import type { Part, Parts } from './parts.ts';
import { routeName } from './route-name.ts';
import type { Route } from './route-schema.ts';
import { checkShaping } from './shaping-rules.ts';

export function checkRoutes(parts: Parts, list: MistakeList): void {
  const { routes } = parts;
  const services = namesOf(parts.services);
  const listeners = namesOf(parts.listeners);
  const byName = new Map<string, number>();
  const hiddenRoutes = new HiddenRoutes();
  for (const [index, { value: route }] of routes.entries()) {
    if (route === null) continue;
    const path: Path = ['routes', index];
    checkServices(route, path, services, list);
    checkShaping(route, path, list);
    for (const [at, name] of (route.match.listeners ?? []).entries()) {
      checkReference([...path, 'match', 'listeners', at], name, listeners, 'listener', list);
    }
    checkPath(route, path, list);
    const hidden = checkHidden(route, index, hiddenRoutes, list);
    if (!hidden) checkName(route, index, byName, list);
  }
  warnUnrouted(parts, list);
}

/** Every service that the route names is there. */
function checkServices(route: Route, path: Path, services: ReadonlySet<string>, list: MistakeList): void {
  const { service, split, mirror } = route;
  if (service !== undefined) checkReference([...path, 'service'], service, services, 'service', list);
  for (const [index, arm] of (split?.arms ?? []).entries()) {
    checkReference([...path, 'split', 'arms', index, 'service'], arm.service, services, 'service', list);
  }
  if (mirror !== undefined) checkReference([...path, 'mirror', 'service'], mirror.service, services, 'service', list);
}

function namesOf(items: readonly Part<unknown>[]): ReadonlySet<string> {
  return new Set(items.flatMap((item) => (item.name === null ? [] : [item.name])));
}

/** It is one of `names`, or it is a mistake. */
function checkReference(path: Path, name: string, names: ReadonlySet<string>, what: string, list: MistakeList): void {
  if (names.has(name)) return;
  list.error(path, () => ({
    message: `there is no ${what} ${show(name)}`,
    ...oneOfNames(name, [...names], 'one of'),
  }));
}

function checkName(route: Route, index: number, byName: Map<string, number>, list: MistakeList): void {
  const name = routeName(route);
  const before = byName.get(name);
  if (before === undefined) byName.set(name, index);
  else {
    const message = `routes[${index}] has the same name as routes[${before}]`;
    list.error(['routes', index, 'name'], { message, found: show(name), expected: 'a name of its own' });
  }
}

/** Says so if another route takes each of its requests first, and where that one stands. */
function checkHidden(route: Route, index: number, routes: HiddenRoutes, list: MistakeList): boolean {
  const hidden = routes.add(index, compileMatch(route.match));
  if (hidden === null) return false;
  const { by, same } = hidden;
  const line = list.lineOf(['routes', by]);
  const place = line === list.lineOf(['routes', index]) ? '' : ` (line ${line})`;
  const what = same ? 'matches the same requests' : 'takes all of its requests';
  const message = `routes[${index}] can never match: routes[${by}]${place} ${what} and comes first`;
  const finding = { message, found: routeName(route) };
  const path: Path = ['routes', index];
  if (same) list.error(path, { ...finding, expected: 'another host, path or listener' });
  else list.warning(path, { ...finding, expected: `it before routes[${by}]` });
  return same;
}

/** Paths are compared in their normal form; one that is written otherwise would match nothing. */
function checkPath({ match }: Route, path: Path, list: MistakeList): void {
  checkNames(match, [...path, 'match'], list);
  if (match.path === undefined) return;
  const { path: written } = match;
  const place: Path = [...path, 'match', 'path'];
  if (match.pathRegex !== undefined) {
    const message = 'a route has a path or a pathRegex, not both';
    list.error([...path, 'match', 'pathRegex'], { message, expected: 'one of them' });
  }
  const { names } = parsePathPattern(written);
  const twice = names.find((name, index) => names.indexOf(name) < index);
  if (twice !== undefined) {
    list.error(place, {
      message: `the name {${twice}} stands twice`,
      found: show(written),
      expected: 'each name once',
    });
  }
  if (written.endsWith('*') && !written.endsWith('/*')) {
    const message = 'a * stands for whole segments';
    list.error(place, {
      message,
      found: show(written),
      expected: 'a * after a slash',
      suggestion: `${written.slice(0, -1)}/*`,
    });
    return;
  }
  // Braces stand for segments, and nothing else in a path may have them.
  const normal = normalForm(written);
  if (normal === written) return;
  const message = 'this path is not in its normal form, and no request ever has it';
  list.error(place, { message, found: show(written), expected: 'the normal form', suggestion: normal });
}

/** Names of segments or groups are none that stand for something else. */
function checkNames({ path, pathRegex }: Route['match'], place: Path, list: MistakeList): void {
  for (const [key, written, names] of [
    ['path', path, path === undefined ? [] : parsePathPattern(path).names],
    ['pathRegex', pathRegex, pathRegex === undefined ? [] : groupNames(pathRegex)],
  ] as const) {
    const own = names.find((name) => BUILT_IN_NAMES.some((builtIn) => builtIn === name));
    if (own === undefined) continue;
    const message = `{${own}} is what the gateway itself fills in`;
    list.error([...place, key], { message, found: show(written), expected: 'another name' });
  }
}

/** As the data plane brings a request's path into form; null for one that it refuses. */
function normalForm(path: string): string | null {
  const bytes = Buffer.from(path);
  const out = new Uint8Array(bytes.length);
  const length = normalizePath(bytes, 0, bytes.length, out, { escapedSlashes: 'keep', mergeSlashes: false });
  if (length === PATH_SAME) return path;
  return length === PATH_REFUSED ? null : Buffer.from(out.subarray(0, length)).toString();
}

function warnUnrouted({ listeners, routes }: Parts, list: MistakeList): void {
  const known = new Set(listeners.map(({ name }) => name));
  const served = new Set<string>();
  for (const { value } of routes) {
    const names = value?.match.listeners;
    // For all, or not to be understood, or meant for one of these: the route itself says so.
    if (names === undefined || names.some((name) => !known.has(name))) return;
    for (const name of names) served.add(name);
  }
  for (const [index, { name }] of listeners.entries()) {
    if (name === null || served.has(name) || routes.length === 0) continue;
    const message = `no route serves listener ${show(name)}: it answers 404 to everything`;
    list.warning(['listeners', index, 'name'], { message });
  }
}
