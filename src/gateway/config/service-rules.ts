/** Rules about one service and what stands beside it. */
import { formatDuration } from '../../kernel/units.ts';
import { checkAffinity } from './affinity-rules.ts';
import { checkActive } from './check-rules.ts';
import { checkDiscovery } from './discovery-rules.ts';
import { checkEndpointList } from './endpoint-rules.ts';
import type { MistakeList, Path } from '../../reading/mistakes.ts';
import type { Parts } from './parts.ts';
import type { RuleContext } from './rule-context.ts';
import { checkCertificates, checkKey } from './pem.ts';
import { isAnswered, servicesOf } from './route-schema.ts';
import type { Service } from './service-schema.ts';

/** Where Node, Apache and uvicorn close an idle connection by default. */
const SERVER_IDLE_MS = 5000;

export function checkService(
  service: Service,
  index: number,
  parts: Parts,
  list: MistakeList,
  context: RuleContext,
): void {
  const path: Path = ['services', index];
  checkEndpoints(service, path, parts, list, context);
  checkAffinity(service, path, list, context);
  checkTimes(service, path, list);
  checkRoom(service, path, parts, list, context);
  const { breaker } = service;
  if (breaker !== undefined && breaker.openForMax < breaker.openFor) {
    const message = 'a breaker cannot be open for longer at least than at most';
    const expected = `openForMax (${formatDuration(breaker.openForMax)}) at least openFor (${formatDuration(breaker.openFor)})`;
    list.error([...path, 'breaker', 'openForMax'], { message, expected });
  }
  const { active } = service.health;
  if (active !== undefined) checkActive(active, [...path, 'health', 'active'], list);
  if (service.tls !== undefined) checkTls(service.tls, [...path, 'tls'], list, context);
  const { connections, idleConnections } = service.limits;
  if (idleConnections > connections) {
    const message = 'more connections may be kept unused than there may be';
    const expected = `idleConnections (${idleConnections}) at most connections (${connections})`;
    // The default of one may be above a lowered other: nothing breaks.
    list.warning([...path, 'limits', 'idleConnections'], { message, expected });
  }
}

export function checkRouted({ services, routes }: Parts, list: MistakeList): void {
  const known = new Set(services.map(({ name }) => name));
  const led = new Set<string>();
  for (const { value } of routes) {
    // A route that leads nowhere was probably meant for one of those, and is told so itself.
    if (value === null || !isAnswered(value)) return;
    for (const name of servicesOf(value)) {
      if (!known.has(name)) return;
      led.add(name);
    }
  }
  for (const [index, { value }] of services.entries()) {
    if (value === null || led.has(value.name)) continue;
    list.warning(['services', index, 'name'], { message: `no route leads to service "${value.name}"` });
  }
}

function checkEndpoints(service: Service, path: Path, parts: Parts, list: MistakeList, context: RuleContext): void {
  const { endpoints, discovery, name } = service;
  const around = {
    listeners: parts.listeners.map(({ value }) => value?.address ?? null),
    admin: parts.admin?.address ?? null,
    ownAddresses: context.ownAddresses,
    allowLinkLocal: service.allowLinkLocal,
  };
  checkEndpointList(endpoints, { service: name, path: [...path, 'endpoints'], list, around });
  if (discovery !== undefined) checkDiscovery(service, discovery, { path, list, context, around });
  else if (endpoints.length === 0) {
    const message = `service "${name}" has no endpoints`;
    list.error(path, { message, expected: 'endpoints, discovery, or both' });
  }
}

/** `limits.connections` is for each worker, and holds beside what an endpoint takes of all. */
function checkRoom(service: Service, path: Path, { workers }: Parts, list: MistakeList, context: RuleContext): void {
  if (workers === null) return;
  const count = workers === 'auto' ? context.cores : workers;
  const { connections } = service.limits;
  for (const [index, { connectionsMax = 0 }] of service.endpoints.entries()) {
    if (connectionsMax <= connections * count) continue;
    const message = 'limits.connections of the service lets all workers together have fewer, so this limits nothing';
    list.warning([...path, 'endpoints', index, 'connectionsMax'], {
      message,
      found: String(connectionsMax),
      expected: `at most ${connections * count}: limits.connections (${connections}) × workers (${count})`,
    });
  }
}

function checkTimes({ timeouts }: Service, path: Path, list: MistakeList): void {
  const { idle, total, responseHeader, connect } = timeouts;
  if (idle >= SERVER_IDLE_MS) {
    const message =
      'many servers (Node, Apache, uvicorn) close an idle connection after 5s; a request that meets the close has to be sent again';
    list.warning([...path, 'timeouts', 'idle'], {
      message,
      found: formatDuration(idle),
      expected: "less than the server's own idle time",
    });
  }
  if (total === 0) return;
  for (const [name, value] of Object.entries({ responseHeader, connect })) {
    if (value <= total) continue;
    const message = `timeouts.total ends a request before timeouts.${name} can`;
    const expected = `total (${formatDuration(total)}) at least ${name} (${formatDuration(value)})`;
    list.warning([...path, 'timeouts', 'total'], { message, expected });
  }
}

function checkTls(
  tls: NonNullable<Service['tls']>,
  path: Path,
  list: MistakeList,
  { files, nowMs }: RuleContext,
): void {
  const { ca, certificate, key, verify } = tls;
  if (!verify) {
    const message = "the server's certificate is not checked: anyone on the way can read and change what is sent";
    list.warning([...path, 'verify'], { message, expected: 'ca with the authority of your own certificates' });
  }
  if (ca !== undefined) {
    checkCertificates(files, ca, nowMs, (severity, finding) => list[severity]([...path, 'ca'], finding));
  }
  if (certificate !== undefined && key === undefined) {
    list.error([...path, 'certificate'], { message: 'tls has a certificate and no key', expected: 'key' });
  } else if (certificate === undefined && key !== undefined) {
    list.error([...path, 'key'], { message: 'tls has a key and no certificate', expected: 'certificate' });
  }
  if (certificate === undefined || key === undefined) return;
  const usable = checkCertificates(files, certificate, nowMs, (severity, finding) =>
    list[severity]([...path, 'certificate'], finding),
  );
  checkKey(files, key, usable ? certificate : null, (severity, finding) => list[severity]([...path, 'key'], finding));
}
