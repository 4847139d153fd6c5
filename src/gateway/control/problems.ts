/**
 * What is wrong with a gateway now, in sentences: what the dashboard says first. Pure; a state in, the worst first. What heals by
 * itself within a moment, such as a worker that starts, is not said, and neither is what was wrong and no longer is.
 */
import type { AlertStatus, SloStatus } from '../../observe/slo/live/status.ts';
import type { LiveProblem } from '../admin/live-model.ts';
import type { EndpointState, GatewayState, ServiceState } from './gateway-state.ts';

/** Of one service, after which they are counted: a hundred sentences say less than one. */
const ENDPOINTS_NAMED_MAX = 3;

export function problemsOf(state: GatewayState, slos: readonly SloStatus[]): LiveProblem[] {
  const all = [
    ...slos.flatMap(objectiveProblems),
    ...state.services.flatMap(serviceProblems),
    ...workerProblems(state),
    ...storeProblems(state),
    ...configProblems(state),
    ...keptProblems(state),
  ];
  const rank = ({ severity }: LiveProblem): number => (severity === 'fault' ? 0 : 1);
  return all.toSorted((one, other) => rank(one) - rank(other));
}

function problem(severity: LiveProblem['severity'], what: string, link: string, since: string | null): LiveProblem {
  return { severity, what, link, since };
}

/** Of one objective the most urgent alert. What is left changes each second, and a sentence that does is read out each second. */
function objectiveProblems({ id, alerts, budget }: SloStatus): LiveProblem[] {
  const link = `#/slo?id=${encodeURIComponent(id)}`;
  const alert = alerts.find(({ state }) => state === 'firing');
  if (alert === undefined) {
    return budget.share > 0 ? [] : [problem('warning', `The error budget of ${id} is spent.`, link, null)];
  }
  const since = alert.sinceMs === null ? null : new Date(alert.sinceMs).toISOString();
  return [problem(alert.severity === 'page' ? 'fault' : 'warning', burnSentence(id, alert), link, since)];
}

export function burnSentence(id: string, { burn }: AlertStatus): string {
  const times = burn === 1 ? 'faster than it may' : `more than ${burn} times too fast`;
  return `${id} spends its error budget ${times}.`;
}

function serviceProblems({ name, breaker, endpoints, failOpen, discovery }: ServiceState): LiveProblem[] {
  const link = `#/balancer?service=${encodeURIComponent(name)}`;
  const found: LiveProblem[] = breakerProblems(name, breaker);
  const out = endpoints.filter(isOut);
  const working = endpoints.length - out.length;
  if (endpoints.length === 0) {
    found.push(problem('fault', `${name} has no endpoint: its requests are refused.`, link, null));
  } else if (failOpen) {
    const what = `${name} has too few healthy endpoints (${working} of ${endpoints.length}), so all are used.`;
    found.push(problem('fault', what, link, sinceOf(out)));
  } else if (working === 0) {
    found.push(problem('fault', `No endpoint of ${name} takes requests.`, link, sinceOf(out)));
  }
  const down = out.filter(({ drain }) => drain === null);
  for (const { address, health, reason, since } of down.slice(0, ENDPOINTS_NAMED_MAX)) {
    found.push(problem('warning', `${address} of ${name} is ${health}: ${reason}.`, link, since));
  }
  const rest = down.slice(ENDPOINTS_NAMED_MAX);
  if (rest.length > 0) {
    found.push(problem('warning', `${rest.length} more endpoints of ${name} are out.`, link, sinceOf(rest)));
  }
  if (discovery !== null && discovery.problem !== null) {
    const what = `The endpoints of ${name} cannot be learnt from ${discovery.source}: ${discovery.problem}.`;
    found.push(problem('warning', what, link, discovery.answeredAt));
  }
  return found;
}

function breakerProblems(name: string, breaker: ServiceState['breaker']): LiveProblem[] {
  if (breaker === null || breaker.phase === 'closed') return [];
  const { phase, reason, since } = breaker;
  const link = `#/service?service=${encodeURIComponent(name)}`;
  if (phase === 'half-open') {
    return [
      problem('warning', `${name} is tried again with a few requests; its breaker refuses the others.`, link, since),
    ];
  }
  return [problem('fault', `The breaker of ${name} is ${phase}, so its requests are refused: ${reason}.`, link, since)];
}

function isOut({ health, drain }: EndpointState): boolean {
  return drain !== null || health === 'down' || health === 'ejected';
}

/** Since the first of them. */
function sinceOf(endpoints: readonly EndpointState[]): string | null {
  return endpoints.flatMap(({ since }) => (since === null ? [] : [since])).toSorted()[0] ?? null;
}

function workerProblems({ phase, workers }: GatewayState): LiveProblem[] {
  const link = '#/service';
  if (phase === 'draining')
    return [problem('fault', 'The gateway is ending: it takes no new connections.', link, null)];
  const lost = workers.filter(({ phase: its }) => its === 'waiting' || its === 'stuck');
  return lost.map(({ lane, phase: its, lastLoss }) => {
    const severity = lost.length === workers.length ? 'fault' : 'warning';
    const what = its === 'stuck' ? 'does not end' : 'was lost and is about to be replaced';
    return problem(severity, `Worker ${lane} ${what}${lastLoss === null ? '' : `: ${lastLoss}`}.`, link, null);
  });
}

function storeProblems({ limits, stores }: GatewayState): LiveProblem[] {
  return stores
    .filter(({ downFor }) => downFor > 0)
    .map(({ name }) => {
      const names = limits.flatMap((limit) => (limit.store?.name === name ? [limit.name] : []));
      return problem('warning', `The store ${name} does not answer; it counts ${names.join(', ')}.`, '#/limits', null);
    });
}

function configProblems({ canary, pendingRestart, reloads }: GatewayState): LiveProblem[] {
  const found: LiveProblem[] = [];
  if (reloads.lastReason !== null) {
    const what = `The last config was refused, the one before goes on: ${reloads.lastReason}`;
    found.push(problem('warning', what, '#/config', reloads.lastAt));
  }
  if (canary?.phase === 'rolled-back') {
    const what = `The config on trial was taken back: ${canary.reason ?? 'no reason given'}.`;
    found.push(problem('warning', what, '#/config', canary.until));
  }
  if (pendingRestart.length > 0) {
    const what = `The config asks for what only a new process can give: ${pendingRestart.join('; ')}.`;
    found.push(problem('warning', what, '#/config', null));
  }
  return found;
}

/** Charts and budgets lack what is in them. Damage stays, and is told by the log and the state. */
function keptProblems({ kept }: GatewayState): LiveProblem[] {
  if (kept === null || kept.unread === 0) return [];
  const files = kept.unread === 1 ? '1 file' : `${kept.unread} files`;
  const what = `${files} in ${kept.folder} cannot be read: charts and budgets lack what is only there.`;
  return [problem('warning', what, '#/slo', null)];
}
