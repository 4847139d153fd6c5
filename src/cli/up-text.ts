/** What `spillway up` prints: one screen about what runs, then a line for each thing that changes. Pure. */
import type { GatewayEvent, ReloadOutcome } from '../gateway/control/events.ts';
import type { CanaryState, EndpointState, GatewayState, RouteState } from '../gateway/control/gateway-state.ts';
import { formatDuration, formatPercentage } from '../kernel/units.ts';
import { type Paint, printable, type Tone } from './terminal.ts';

// One screen is one screen for a large config too: what is left out is counted.
const ROUTES_MAX = 16;
const ENDPOINTS_MAX = 6;
const CHANGES_MAX = 20;

export function screenLines(state: GatewayState, paint: Paint): string[] {
  const { version, pid, workers, file, admin, listeners } = state;
  const threads = `${workers.length} ${workers.length === 1 ? 'worker' : 'workers'}`;
  const source = file === null ? 'config given by the program' : printable(file);
  return [
    `${paint('strong', `spillway ${version}`)}  ${source}, ${threads}, pid ${pid}`,
    '',
    ...listeners.map(({ name, address, tls }) =>
      row('listener', printable(name), `${tls ? 'https' : 'http'}://${address}`),
    ),
    row('admin', '', admin === null ? 'off' : adminText(admin.address)),
    '',
    ...routeLines(state, paint),
  ];
}

function adminText(address: string): string {
  return address.startsWith('unix:') ? printable(address) : `http://${address}`;
}

function row(what: string, name: string, rest: string): string {
  return `  ${what.padEnd(8)}  ${name.padEnd(12)}  ${rest}`;
}

function routeLines({ routes, services }: GatewayState, paint: Paint): string[] {
  const shown = routes.slice(0, ROUTES_MAX);
  const matches = shown.map(routeMatch);
  const width = Math.max(0, ...matches.map((match) => match.length));
  const lines = shown.flatMap((route, index) => {
    const service = services.find(({ name }) => name === route.service);
    // A service that several routes lead to is listed below the first.
    const first = shown.findIndex((other) => other.service === route.service) === index;
    const head = `  ${matches[index]!.padEnd(width)}  → ${printable(route.service)}`;
    if (service === undefined || !first) return [head];
    return [`${head} ${paint('dim', `(${service.balance})`)}`, ...endpointLines(service.endpoints, width, paint)];
  });
  const left = routes.length - shown.length;
  return left > 0 ? [...lines, paint('dim', `  … and ${left} more routes`)] : lines;
}

function routeMatch({ host, path, listeners }: RouteState): string {
  const where = listeners === null ? '' : ` on ${listeners.join(', ')}`;
  return printable(`${host ?? 'any host'} ${path ?? '/*'}${where}`);
}

function endpointLines(endpoints: readonly EndpointState[], width: number, paint: Paint): string[] {
  const indent = ' '.repeat(width + 6);
  const lines = endpoints.slice(0, ENDPOINTS_MAX).map(({ address, weight, health }) => {
    const share = weight === 1 ? '' : paint('dim', `  weight ${weight}`);
    const down = health === 'down' ? paint('bad', '  down') : '';
    return `${indent}${printable(address)}${share}${down}`;
  });
  const left = endpoints.length - lines.length;
  return left > 0 ? [...lines, paint('dim', `${indent}… and ${left} more`)] : lines;
}

/** The lines of an event, none if there is nothing to say. The first gets the time. */
export function eventLines(event: GatewayEvent, paint: Paint): string[] {
  switch (event.kind) {
    case 'listening':
    case 'admin-listening':
      return []; // on the screen already; a reload names them among its changes
    case 'endpoint-down':
      return [paint('bad', `endpoint ${event.endpoint} of ${event.service} is down: ${printable(event.reason)}`)];
    case 'endpoint-up': {
      if (event.downForMs === null) return []; // a first check that succeeds is no change
      const after = roughly(event.downForMs);
      return [
        paint(
          'good',
          `endpoint ${event.endpoint} of ${event.service} is up after ${after}: ${printable(event.reason)}`,
        ),
      ];
    }
    case 'endpoint-kept':
      return [
        paint(
          'warn',
          `endpoint ${event.endpoint} of ${event.service} is kept though its checks fail: ${printable(event.reason)}`,
        ),
      ];
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
      return [`admin: ${printable(event.action)} from ${printable(event.remote)}: ${printable(event.outcome)}`];
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

/** `5.3s`, `2m`: people want the size of it, not the digits. */
function roughly(ms: number): string {
  const unit = ms < 1000 ? 1 : ms < 60_000 ? 100 : 1000;
  return formatDuration(Math.round(ms / unit) * unit);
}

/** `14:03:09`, in the machine's time zone: what the clock on the wall says. */
export function wallTime(wallMs: number): string {
  return new Date(wallMs).toTimeString().slice(0, 8);
}
