/** What `spillway up` prints: one screen about what runs, then a line for each thing that changes. Pure. */
import { auditText } from '../gateway/admin/audit-entry.ts';
import type { GatewayEvent, ReloadOutcome } from '../gateway/control/events.ts';
import type {
  AdminState,
  CanaryState,
  DiscoveryState,
  GatewayState,
  LimitState,
  RouteState,
  RouteTarget,
  ServiceState,
} from '../gateway/control/gateway-state.ts';
import { formatDuration, formatPercentage, formatRoughly } from '../kernel/units.ts';
import { type Paint, printable, type Tone } from './terminal.ts';

// One screen is one screen for a large config too: what is left out is counted.
const ROUTES_MAX = 16;
const SERVICES_MAX = 8;
const LIMITS_MAX = 8;
const ENDPOINTS_MAX = 6;
// Columns that one long name must not push off the screen.
const NAME_MAX = 20;
const MATCH_MAX = 40;
const CHANGES_MAX = 20;

/** `token` is shown with the admin address, as a link; null where others may read what is printed. */
export function screenLines(state: GatewayState, paint: Paint, token: string | null): string[] {
  const { version, pid, workers, file, admin, limits, listeners, routes, services } = state;
  const threads = `${workers.length} ${workers.length === 1 ? 'worker' : 'workers'}`;
  const source = file === null ? 'config given by the program' : printable(file);
  const shown = routes.slice(0, ROUTES_MAX);
  const names = [...listeners, ...services, ...limits.slice(0, LIMITS_MAX)]
    .map(({ name }) => name)
    .concat(shown.map(givenName));
  const width = Math.min(NAME_MAX, Math.max(...names.map((name) => name.length)));
  const row: Row = (what, name, rest) => `  ${what.padEnd(8)}  ${printable(name).padEnd(width)}  ${rest}`;
  return [
    `${paint('strong', `spillway ${version}`)}  ${source}, ${threads}, pid ${pid}`,
    '',
    ...listeners.map(({ name, address, tls }, index) =>
      row(index === 0 ? 'listener' : '', name, `${tls ? 'https' : 'http'}://${address}`),
    ),
    ...adminLines(admin, token, row, paint),
    '',
    ...routeLines(shown, row),
    ...left(routes.length - shown.length, 'routes', row, paint),
    '',
    ...limitLines(limits, row, paint),
    ...services.slice(0, SERVICES_MAX).flatMap((service, index) => serviceLines(service, index, row, paint)),
    ...left(services.length - SERVICES_MAX, 'services', row, paint),
  ];
}

/** A line in three columns: what it is about, its name, the rest. */
type Row = (what: string, name: string, rest: string) => string;

function adminLines(admin: AdminState | null, token: string | null, row: Row, paint: Paint): string[] {
  if (admin === null) return [row('admin', '', paint('dim', 'off'))];
  const { address, madeToken } = admin;
  const isSocket = address.startsWith('unix:');
  const isLink = token !== null && !isSocket;
  const text = isSocket ? printable(address) : isLink ? dashboardLink(address, token) : `http://${address}`;
  const first = row('admin', '', text);
  if (madeToken === null) return [first];
  const { file } = madeToken;
  const what = isLink
    ? 'with this link one may change something: its token is'
    : 'changing something takes a token, which is';
  const place = file === null ? 'in memory alone' : `in ${printable(file)}`;
  return [first, row('', '', paint('dim', `${what} ${place}`))];
}

/** The dashboard, as a link that may change something if there is a token for it. */
export function dashboardLink(address: string, token: string | null): string {
  return `http://${address}/${token === null ? '' : `#token=${token}`}`;
}

function left(count: number, what: string, row: Row, paint: Paint): string[] {
  return count > 0 ? [row('', '', paint('dim', `… and ${count} more ${what}`))] : [];
}

/** A name that was not given is the match, which is shown in any case; only such a one has a space. */
function givenName({ name }: RouteState): string {
  return name.includes(' ') ? '' : name;
}

function routeLines(routes: readonly RouteState[], row: Row): string[] {
  const matches = routes.map((route) => printable(route.matches));
  const width = Math.min(MATCH_MAX, Math.max(0, ...matches.map((match) => match.length)));
  return routes.map((route, index) =>
    row(
      index === 0 ? 'route' : '',
      givenName(route),
      `${matches[index]!.padEnd(width)}  → ${targetText(route.target)}`,
    ),
  );
}

function targetText(target: RouteTarget): string {
  if (target.kind === 'answer')
    return target.to === null ? `${target.status}` : `${target.status} ${printable(target.to)}`;
  const { arms } = target;
  const sum = arms.reduce((total, { weight }) => total + weight, 0);
  const share = (weight: number): string => (arms.length === 1 ? '' : ` ${Math.round((100 * weight) / sum)} %`);
  return arms.map(({ service, weight }) => `${printable(service)}${share(weight)}`).join(', ');
}

function limitLines(limits: readonly LimitState[], row: Row, paint: Paint): string[] {
  if (limits.length === 0) return [];
  const lines = limits.slice(0, LIMITS_MAX).map(({ name, algorithm, key, shadow, store }, index) => {
    const trial = shadow ? paint('warn', '  refuses nobody (shadow)') : '';
    const place = store === null ? '' : paint('dim', `  in ${printable(store.name)}`);
    return row(index === 0 ? 'limit' : '', name, `${algorithm}  by ${printable(key)}${place}${trial}`);
  });
  return [...lines, ...left(limits.length - LIMITS_MAX, 'limits', row, paint), ''];
}

function serviceLines(
  { name, balance, breaker, endpoints, discovery }: ServiceState,
  index: number,
  row: Row,
  paint: Paint,
): string[] {
  const lines = endpoints.slice(0, ENDPOINTS_MAX).map(({ address, weight, health, drain }) => {
    const share = weight === 1 ? '' : paint('dim', `  weight ${weight}`);
    const down = health === 'down' || health === 'ejected' ? paint('bad', `  ${health}`) : '';
    const drains = drain === null ? '' : paint('warn', `  ${drain.phase === 'drained' ? 'drained' : 'draining'}`);
    return `${printable(address)}${share}${down}${drains}`;
  });
  const more = endpoints.length - lines.length;
  if (more > 0) lines.push(paint('dim', `… and ${more} more`));
  if (discovery !== null) lines.push(sourceText(discovery, paint));
  if (breaker !== null && breaker.phase !== 'closed') lines.push(paint('bad', `breaker ${breaker.phase}`));
  const indent = ' '.repeat(balance.length);
  return lines.map((line, at) =>
    at === 0
      ? row(index === 0 ? 'service' : '', name, `${paint('dim', balance)}  ${line}`)
      : row('', '', `${indent}  ${line}`),
  );
}

function sourceText({ source, problem, endpoints }: DiscoveryState, paint: Paint): string {
  const [why = ''] = problem?.split('\n') ?? [];
  if (problem !== null) return paint('warn', `${printable(source)}: ${printable(why)}`);
  return paint('dim', `${endpoints ?? 'none yet'} by ${printable(source)}`);
}

/** The lines of an event, none if there is nothing to say. The first gets the time. */
export function eventLines(event: GatewayEvent, paint: Paint): string[] {
  switch (event.kind) {
    case 'listening':
    case 'admin-listening':
      return []; // on the screen already; a reload names them among its changes
    case 'endpoint-down':
      return [
        paint(
          'bad',
          `endpoint ${event.endpoint} of ${event.service} is ${event.ejected ? 'ejected' : 'down'}: ${printable(event.reason)}`,
        ),
      ];
    case 'endpoint-up': {
      if (event.downForMs === null) return []; // a first check that succeeds is no change
      const after = formatRoughly(event.downForMs);
      return [
        paint(
          'good',
          `endpoint ${event.endpoint} of ${event.service} is up after ${after}: ${printable(event.reason)}`,
        ),
      ];
    }
    case 'endpoint-trial':
      return [paint('warn', `endpoint ${event.endpoint} of ${event.service} is ${printable(event.reason)}`)];
    case 'endpoint-spared':
      return [paint('warn', `endpoint ${event.endpoint} of ${event.service}: ${printable(event.reason)}`)];
    case 'breaker': {
      const { forMs, phase, reason, service } = event;
      const tone = phase === 'open' ? 'bad' : phase === 'closed' ? 'good' : 'warn';
      const time = forMs === null ? '' : ` for ${formatRoughly(forMs)}`;
      return [paint(tone, `service ${service}: its breaker is ${phase}${time}: ${printable(reason)}`)];
    }
    case 'fail-open':
      return event.reason === null
        ? [paint('good', `service ${event.service}: health is believed again`)]
        : [paint('bad', `service ${event.service}: ${printable(event.reason)}`)];
    case 'endpoint-kept':
      return [
        paint(
          'warn',
          `endpoint ${event.endpoint} of ${event.service} is kept though its checks fail: ${printable(event.reason)}`,
        ),
      ];
    case 'drain-begun':
    case 'drain-ended':
    case 'drain-undone':
      return [drainLine(event, paint)];
    case 'endpoints-found':
      return foundLines(event, paint);
    case 'discovery':
      return discoveryLines(event, paint);
    case 'canary':
      return canaryLines(event.trial, paint);
    case 'reload':
      return reloadLines(event.outcome, paint);
    case 'worker-lost': {
      const again = formatDuration(Math.round(event.restartInMs));
      return [paint('bad', `worker ${event.lane} was lost: ${printable(event.reason)}; another starts in ${again}`)];
    }
    case 'worker-replaced':
      return [paint('good', `worker ${event.lane} was replaced`)];
    case 'audit':
      return [`admin: ${printable(auditText(event))}`];
    case 'draining':
      return [`draining: running requests have up to ${formatDuration(event.timeoutMs)} (once more to end now)`];
    case 'stopped':
      return ['stopped'];
    case 'notice':
      return [paint(noticeTones[event.level], printable(event.message))];
    default:
      return event satisfies never;
  }
}

type DrainEvent = Extract<GatewayEvent, { readonly kind: `drain-${string}` }>;

/** What has become of a drain, as a line. */
export function drainLine(event: DrainEvent, paint: Paint): string {
  const subject = `endpoint ${event.endpoint} of ${event.service}`;
  switch (event.kind) {
    case 'drain-begun': {
      const who = event.by === 'config' ? ' by its config' : '';
      return `${subject} drains${who}: no new work, and what it has may take ${formatDuration(event.withinMs)}`;
    }
    case 'drain-ended': {
      const { tookMs, told, cut } = event;
      const went = told === 0 ? [] : [`${counted(told, 'tunnel')} told to go`];
      const ends = cut === null ? went : [...went, `${workText(cut)} had to be cut`];
      const end = ends.length === 0 ? 'nothing is left' : ends.join(', ');
      return paint(cut === null ? 'good' : 'warn', `${subject} is drained after ${formatRoughly(tookMs)}: ${end}`);
    }
    case 'drain-undone':
      return paint('good', `${subject} serves again`);
    default:
      return event satisfies never;
  }
}

/** `3 requests and 1 tunnel`. */
export function workText({ requests, tunnels }: { readonly requests: number; readonly tunnels: number }): string {
  const parts = [
    requests > 0 || tunnels === 0 ? counted(requests, 'request') : '',
    tunnels > 0 ? counted(tunnels, 'tunnel') : '',
  ];
  return parts.filter((part) => part !== '').join(' and ');
}

/** `1 request`, `2 requests`. */
export function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}

type Told<Kind extends GatewayEvent['kind']> = Extract<GatewayEvent, { readonly kind: Kind }>;

function foundLines({ service, source, changes }: Told<'endpoints-found'>, paint: Paint): string[] {
  const [first = '', ...more] = changes.slice(0, CHANGES_MAX).map(printable);
  const left = changes.length - CHANGES_MAX;
  return [
    paint('good', `service ${service}: ${first}, by ${printable(source)}`),
    ...more.map((change) => `  ${change}`),
    ...(left > 0 ? [`  … and ${left} more changes`] : []),
  ];
}

function discoveryLines({ service, source, problem, leftOut }: Told<'discovery'>, paint: Paint): string[] {
  const [first = 'answers again', ...more] = problem === null ? [] : problem.split('\n').map(printable);
  const isWell = problem === null && leftOut.length === 0;
  const head = `service ${service}: ${printable(source)}: ${problem === null && leftOut.length > 0 ? 'not all of its answer is used' : first}`;
  return [
    paint(isWell ? 'good' : 'warn', head),
    ...more.map((line) => `  ${line}`),
    ...leftOut.map((line) => `  not used: ${printable(line)}`),
  ];
}

/** A rollback is a repair of what runs, not of what is written. */
const UNTIL_NEXT_RELOAD = 'The file still says otherwise: its next change, or SIGHUP, applies it again.';

const noticeTones = { info: 'dim', warn: 'warn', error: 'bad' } as const satisfies Record<string, Tone>;

/** A config on trial as lines; the first says how it stands. */
export function canaryLines(
  { phase, file, share, until, reason, canary, others }: CanaryState,
  paint: Paint,
): string[] {
  const name = printable(file ?? 'a config');
  const numbers = [`  it:         ${printable(canary)}`, `  the others: ${printable(others)}`];
  switch (phase) {
    case 'watching':
      return [`${name} is on trial: ${formatPercentage(share)} of the connections, until ${printable(until)}`];
    case 'promoted':
      return [paint('good', `${name} is promoted: ${printable(reason ?? '')}`), ...numbers];
    case 'rolled-back':
      return [paint('bad', `${name} is taken back: ${printable(reason ?? '')}`), ...numbers];
    default:
      return phase satisfies never;
  }
}

/** A reload or rollback as lines; the first says what became of it. */
export function reloadLines(outcome: ReloadOutcome, paint: Paint): string[] {
  switch (outcome.kind) {
    case 'applied': {
      const { changes, version, restored, pendingRestart } = outcome;
      const left = changes.length - CHANGES_MAX;
      const what = restored === null ? 'reloaded' : `rolled back to config ${restored}`;
      return [
        paint('good', `${what}: config ${version} is in use`),
        ...changes.slice(0, CHANGES_MAX).map((change) => `  ${printable(change)}`),
        ...(left > 0 ? [`  … and ${left} more changes`] : []),
        ...pendingRestart.map((line) => paint('warn', `  not in effect yet: ${printable(line)}`)),
        ...(restored === null ? [] : [paint('warn', `  ${UNTIL_NEXT_RELOAD}`)]),
      ];
    }
    case 'unchanged':
      return [`${outcome.cause === 'rollback' ? 'rolled back' : 'reloaded'}: nothing changed`];
    case 'refused':
      return [
        paint(
          'bad',
          `${outcome.cause === 'rollback' ? 'rollback' : 'reload'} refused, config ${outcome.version} goes on: ${printable(outcome.reason)}`,
        ),
        ...outcome.problems.map((problem) => `  ${printable(problem)}`),
      ];
    default:
      return outcome satisfies never;
  }
}

/** `14:03:09`, in the machine's time zone: what the clock on the wall says. */
export function wallTime(wallMs: number): string {
  return new Date(wallMs).toTimeString().slice(0, 8);
}
