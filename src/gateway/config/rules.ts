/**
 * What no schema can say: rules between two places of a config. Each adds its mistakes to a list and knows nothing of the
 * others. An error is a config that cannot do what it says or is not safe; a warning is one that probably was not meant.
 */
import { findAccount } from '../user-account.ts';
import { checkAlerts } from './alert-rules.ts';
import { checkAdmin } from './admin-rules.ts';
import { ENDPOINTS_MAX } from './cell-store.ts';
import { checkLimits } from './limit-rules.ts';
import { checkListener } from './listener-rules.ts';
import { show } from '../../reading/mistakes.ts';
import type { MistakeList } from '../../reading/mistakes.ts';
import { checkObjectives } from './objective-rules.ts';
import type { Part, Parts } from './parts.ts';
import type { RuleContext } from './rule-context.ts';
import { checkRoutes } from './route-rules.ts';
import { checkRouted, checkService } from './service-rules.ts';
import { checkTelemetry } from './telemetry-rules.ts';

/** As many as there may be routes: each has series of its own. */
const ARMS_MAX = 10_000;

export function checkRules(parts: Parts, list: MistakeList, context: RuleContext): void {
  checkNames(parts.listeners, 'listeners', list);
  checkNames(parts.services, 'services', list);
  checkNames(parts.limits, 'limits', list);
  for (const [index, { value }] of parts.listeners.entries()) {
    if (value !== null) checkListener(value, index, parts, list, context);
  }
  for (const [index, { value }] of parts.services.entries()) {
    if (value !== null) checkService(value, index, parts, list, context);
  }
  checkRouted(parts, list);
  checkSize(parts, list);
  checkZones(parts, list);
  checkUser(parts, list, context);
  checkRoutes(parts, list);
  checkLimits(parts, list, context);
  checkAlerts(parts, list, context);
  checkAdmin(parts, list, context);
  checkLog(parts, list, context);
  if (parts.telemetry !== null) checkTelemetry(parts.telemetry, list, context);
  checkObjectives(parts, list, context);
}

function checkNames(items: readonly Part<unknown>[], section: string, list: MistakeList): void {
  const first = new Map<string, number>();
  for (const [index, { name }] of items.entries()) {
    if (name === null) continue;
    const before = first.get(name);
    if (before === undefined) first.set(name, index);
    else {
      const message = `${section}[${index}] has the same name as ${section}[${before}]`;
      list.error([section, index, 'name'], { message, found: show(name), expected: 'a name of its own' });
    }
  }
}

function checkSize({ services, routes }: Parts, list: MistakeList): void {
  const endpoints = services.reduce((sum, { value }) => sum + (value?.endpoints.length ?? 0), 0);
  if (endpoints > ENDPOINTS_MAX) {
    const message = 'all services together have more endpoints than there is memory set aside for';
    list.error(['services'], { message, found: `${endpoints} endpoints`, expected: `at most ${ENDPOINTS_MAX}` });
  }
  const arms = routes.reduce((sum, { value }) => sum + (value?.split?.arms.length ?? 0), 0);
  if (arms <= ARMS_MAX) return;
  const message = 'all routes together have more arms than have metrics of their own';
  list.error(['routes'], { message, found: `${arms} arms`, expected: `at most ${ARMS_MAX}` });
}

function checkZones({ services, zone }: Parts, list: MistakeList): void {
  const told = services.flatMap(({ value }, service) =>
    (value?.endpoints ?? []).flatMap((endpoint, index) =>
      endpoint.zone === undefined ? [] : [{ service, index, endpoint }],
    ),
  );
  const [first] = told;
  if (zone === null && first !== undefined) {
    const message = 'endpoints have zones, but it is not said which one this gateway is in, so they do not count';
    list.warning(['services', first.service, 'endpoints', first.index, 'zone'], {
      message,
      expected: 'a zone at the top',
    });
  }
  if (zone === null || told.some(({ endpoint }) => endpoint.zone === zone)) return;
  const message = first === undefined ? 'no endpoint has a zone' : 'no endpoint is in this zone';
  list.warning(['zone'], { message, found: show(zone), expected: 'the zone of some endpoint' });
}

function checkUser({ user }: Parts, list: MistakeList, { accounts }: RuleContext): void {
  if (user === null) return;
  const account = findAccount(user, accounts);
  if (account?.uid === 0) {
    list.error(['user'], { message: `user ${user} is root`, expected: 'a user with fewer rights' });
  } else if (account === null) {
    // The machine that checks may not be the one that runs.
    const message = `this machine has no user ${user}; started as root, the gateway would not run here`;
    list.warning(['user'], { message });
  }
}

function checkLog({ accessLog }: Parts, list: MistakeList, { files }: RuleContext): void {
  if (accessLog === null || accessLog.target === 'stdout') return;
  const folder = files.folderOf(accessLog.target);
  if (folder.ok) return;
  list.error(['accessLog', 'target'], {
    message: `the folder ${folder.path} of the access log ${folder.reason}`,
    found: show(accessLog.target),
    expected: 'a file in a folder that exists',
  });
}
