/** From a route of the config to its plan. Rules have been checked; what they forbid is not looked for again. */
import { parsePathPattern } from '../routing/path-pattern.ts';
import type { AnswerPlan, FieldEditsPlan, FieldPlan, ShapingPlan } from '../shaping/plan.ts';
import type { RoutePlan, ValueMatch } from '../snapshot.ts';
import type { CellStore } from './cell-store.ts';
import { routeName } from './route-name.ts';
import type { AskedValue, Route } from './route-schema.ts';

export interface RouteContext {
  /** Index of each service by its name. */
  readonly services: ReadonlyMap<string, number>;
  readonly cells: CellStore;
}

export function compileRoute(route: Route, context: RouteContext): RoutePlan {
  const name = routeName(route);
  return {
    name,
    match: compileMatch(route.match),
    service: route.service === undefined ? null : indexOf(route.service, context),
    shaping: compileShaping(route, name, context),
    requestBodyBytesMax: route.limits.requestBody,
    requestLimits: route.limits.requests,
    upgrade: route.upgrade,
    tunnelIdleMs: route.tunnelIdle,
    cell: context.cells.route(name),
  };
}

/** Hosts and paths in the form in which they are compared. */
export function compileMatch(match: Route['match']): RoutePlan['match'] {
  const { host, path, pathRegex, listeners, methods, headers, query, cookies, contentTypes, clients } = match;
  return {
    host: host?.toLowerCase().replace(/\.$/, '') ?? null,
    path: path === undefined || path === '/*' ? null : path,
    pathRegex: pathRegex ?? null,
    listeners: listeners ?? null,
    methods: methods ?? null,
    headers: askedValues(headers),
    query: askedValues(query),
    cookies: askedValues(cookies),
    contentTypes: contentTypes ?? null,
    clients: clients ?? null,
  };
}

function indexOf(service: string, { services }: RouteContext): number {
  const index = services.get(service);
  if (index === undefined) throw new TypeError(`no such service: ${service}`);
  return index;
}

function askedValues(asked: Readonly<Record<string, AskedValue>> = {}): ValueMatch[] {
  return Object.entries(asked).map(([name, value]): ValueMatch => {
    const { equals, prefix, regex, present } = typeof value === 'string' ? { equals: value } : value;
    if (equals !== undefined) return { name, kind: 'equals', value: equals };
    if (prefix !== undefined) return { name, kind: 'prefix', value: prefix };
    if (regex !== undefined) return { name, kind: 'regex', value: regex };
    return { name, kind: present === true ? 'present' : 'absent' };
  });
}

/** Null for a route that does nothing but lead to one service. */
function compileShaping(route: Route, name: string, context: RouteContext): ShapingPlan | null {
  const { split, rewrite, requestHeaders, responseHeaders, respond, mirror } = route;
  const plan: ShapingPlan = {
    split:
      split === undefined
        ? null
        : {
            by: split.by,
            arms: split.arms.map((arm) => {
              const armName = arm.name ?? arm.service;
              const cell = context.cells.arm(name, armName);
              return { name: armName, service: indexOf(arm.service, context), weight: arm.weight, cell };
            }),
          },
    answer: compileAnswer(route),
    path: rewrite?.path ?? (rewrite?.prefix === undefined ? null : prefixed(rewrite.prefix, route)),
    host: rewrite?.host ?? null,
    requestFields: compileEdits(requestHeaders),
    responseFields: compileEdits(responseHeaders, respond?.headers),
    mirror:
      mirror === undefined
        ? null
        : { service: indexOf(mirror.service, context), share: mirror.share, bodyBytesMax: mirror.bodyMax },
  };
  return Object.values(plan).every((part) => part === null) ? null : plan;
}

/** `/internal` in place of the `/api` of `/api/*`. */
function prefixed(prefix: string, { match }: Route): string {
  const literal = prefix.replaceAll('{', '{{').replaceAll('}', '}}').replace(/\/$/, '');
  return match.path === undefined || parsePathPattern(match.path).open ? `${literal}{/rest}` : literal;
}

function compileAnswer({ redirect, respond }: Route): AnswerPlan | null {
  if (redirect !== undefined) return { kind: 'redirect', ...redirect };
  if (respond === undefined) return null;
  const { status, body, contentType } = respond;
  return { kind: 'respond', status, body, contentType };
}

function compileEdits(
  edits: Route['requestHeaders'],
  more: Readonly<Record<string, string>> = {},
): FieldEditsPlan | null {
  const set = [...fieldPlans(more), ...fieldPlans(edits?.set)];
  const add = fieldPlans(edits?.add);
  const { remove = [] } = edits ?? {};
  return set.length + add.length + remove.length === 0 ? null : { set, add, remove };
}

function fieldPlans(fields: Readonly<Record<string, string>> = {}): FieldPlan[] {
  return Object.entries(fields).map(([name, value]) => ({ name, value }));
}
