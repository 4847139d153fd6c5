/**
 * What changed lately, in sentences: the timeline that the dashboard lays over every chart, and that alerts are explained with.
 * Made from the events of the gateway, and told by others (`add`): an SLO that fires, a leader that changes.
 *
 * Invariants: ids grow by one and are never used again; at most `CHANGES_MAX` are kept, the newest. Cost: a few hundred bytes each.
 */
import { auditText } from '../admin/audit-entry.ts';
import type { Clock } from '../../kernel/clock.ts';
import { formatDuration, formatRoughly } from '../../kernel/units.ts';
import type { GatewayEvent, ReloadOutcome } from './events.ts';

/** A day on which something changes every minute and a half; 0.5 MB at the longest. */
const CHANGES_MAX = 1000;
/** Longer is a list, which is elsewhere. */
const WHAT_MAX = 500;

export type ChangeKind =
  | 'start'
  | 'config'
  | 'canary'
  | 'health'
  | 'breaker'
  | 'drain'
  | 'discovery'
  | 'worker'
  | 'store'
  | 'slo'
  | 'leader'
  | 'audit';

export interface Change {
  readonly id: number;
  /** Wall time. */
  readonly atMs: number;
  readonly kind: ChangeKind;
  /** For the worse, for the better, or neither. */
  readonly tone: 'bad' | 'good' | 'plain';
  /** A sentence. */
  readonly what: string;
  readonly service?: string;
  readonly endpoint?: string;
  readonly route?: string;
}

export type NewChange = Omit<Change, 'id' | 'atMs'>;

export interface ChangesWanted {
  /** Only those after it. */
  readonly after: number;
  readonly limit: number;
}

export class ChangeLog {
  readonly #clock: Clock;
  #changes: Change[] = [];
  #last = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Of the newest; 0 before the first. */
  get last(): number {
    return this.#last;
  }

  add(change: NewChange): void {
    const what = change.what.length > WHAT_MAX ? `${change.what.slice(0, WHAT_MAX - 1)}…` : change.what;
    this.#last += 1;
    this.#changes.push({ ...change, id: this.#last, atMs: this.#clock.wallMs(), what });
    // In batches: moving a thousand at each change is work for nothing.
    if (this.#changes.length >= 2 * CHANGES_MAX) this.#changes = this.#changes.slice(-CHANGES_MAX);
  }

  /** Newest first. */
  changes({ after, limit }: ChangesWanted): readonly Change[] {
    const kept = this.#changes.slice(-CHANGES_MAX);
    const newer = kept.filter(({ id }) => id > after);
    return newer.slice(-limit).toReversed();
  }

  /** What an event changes, if anything. */
  observe(event: GatewayEvent): void {
    const change = changeOfEvent(event);
    if (change !== null) this.add(change);
  }
}

function changeOfEvent(event: GatewayEvent): NewChange | null {
  switch (event.kind) {
    case 'listening':
      return { kind: 'start', tone: 'plain', what: `Listener ${event.listener} accepts on ${event.address}.` };
    case 'endpoint-down': {
      const what = event.ejected ? 'was ejected' : 'is down';
      return health(event, 'bad', `${event.endpoint} of ${event.service} ${what}: ${event.reason}.`);
    }
    case 'endpoint-up': {
      const after = event.downForMs === null ? '' : `, after ${formatRoughly(event.downForMs)}`;
      return health(event, 'good', `${event.endpoint} of ${event.service} is up${after}: ${event.reason}.`);
    }
    case 'endpoint-trial':
      return health(event, 'plain', `${event.endpoint} of ${event.service} is tried again: ${event.reason}.`);
    case 'endpoint-spared':
    case 'endpoint-kept':
      return health(event, 'bad', `${event.endpoint} of ${event.service} is faulty and stays in: ${event.reason}.`);
    case 'breaker': {
      const { forMs, phase, reason, service } = event;
      const tone = phase === 'open' ? 'bad' : phase === 'closed' ? 'good' : 'plain';
      const time = forMs === null ? '' : ` for ${formatRoughly(forMs)}`;
      return { kind: 'breaker', tone, what: `The breaker of ${service} is ${phase}${time}: ${reason}.`, service };
    }
    case 'fail-open': {
      const { reason, service } = event;
      const what = reason === null ? 'is believed again' : `is not believed any more: ${reason}`;
      const tone = reason === null ? 'good' : 'bad';
      return { kind: 'health', tone, what: `The health of ${service}’s endpoints ${what}.`, service };
    }
    case 'drain-begun':
      return drain(event, `drains, at the longest ${formatDuration(event.withinMs)} (by ${event.by})`);
    case 'drain-ended': {
      const { cut, tookMs } = event;
      const lost = cut === null ? 'nothing was cut' : `${cut.requests} requests and ${cut.tunnels} tunnels were cut`;
      return drain(event, `has drained in ${formatRoughly(tookMs)}; ${lost}`);
    }
    case 'drain-undone':
      return drain(event, 'serves again');
    case 'endpoints-found': {
      const { changes, service, source } = event;
      const what = `${source} changed the endpoints of ${service}: ${changes.join('; ')}.`;
      return { kind: 'discovery', tone: 'plain', what, service };
    }
    case 'discovery': {
      const { problem, service, source } = event;
      if (problem === null)
        return { kind: 'discovery', tone: 'good', what: `${source} answers for ${service}.`, service };
      return {
        kind: 'discovery',
        tone: 'bad',
        what: `${source} gives no endpoints for ${service}: ${problem}.`,
        service,
      };
    }
    case 'canary': {
      const { phase, reason, share } = event.trial;
      const what = `Config on trial for ${Math.round(share * 1000) / 10} % of the connections: ${phase}`;
      const tone = phase === 'rolled-back' ? 'bad' : phase === 'promoted' ? 'good' : 'plain';
      return { kind: 'canary', tone, what: `${what}${reason === null ? '' : `, ${reason}`}.` };
    }
    case 'reload':
      return reloaded(event.outcome);
    case 'worker-lost':
      return { kind: 'worker', tone: 'bad', what: `Worker ${event.lane} was lost: ${event.reason}.` };
    case 'worker-replaced':
      return { kind: 'worker', tone: 'good', what: `Worker ${event.lane} was replaced.` };
    case 'audit':
      return { kind: 'audit', tone: 'plain', what: auditText(event) };
    case 'draining':
      return { kind: 'start', tone: 'plain', what: 'The gateway is ending.' };
    case 'notice':
      return event.level === 'error' ? { kind: 'worker', tone: 'bad', what: event.message } : null;
    case 'admin-listening':
    case 'stopped':
      return null;
    default:
      return event satisfies never;
  }
}

interface OfEndpoint {
  readonly service: string;
  readonly endpoint: string;
}

function health({ service, endpoint }: OfEndpoint, tone: Change['tone'], what: string): NewChange {
  return { kind: 'health', tone, what, service, endpoint };
}

function drain({ service, endpoint }: OfEndpoint, what: string): NewChange {
  return { kind: 'drain', tone: 'plain', what: `${endpoint} of ${service} ${what}.`, service, endpoint };
}

function reloaded(outcome: ReloadOutcome): NewChange | null {
  switch (outcome.kind) {
    case 'unchanged':
      return null;
    case 'applied': {
      const { cause, changes, restored, version } = outcome;
      const origin = restored === null ? `by ${cause}` : `as version ${restored} was`;
      return { kind: 'config', tone: 'plain', what: `Config ${version} in force, ${origin}: ${changes.join('; ')}.` };
    }
    case 'refused':
      return { kind: 'config', tone: 'bad', what: `A config was refused (${outcome.cause}): ${outcome.reason}` };
    default:
      return outcome satisfies never;
  }
}
