/** `spillway drain` and `spillway undrain`: takes an endpoint out of work and waits until nothing is left there, and back. */
import type { DrainState, EndpointOfService } from '../gateway/index.ts';
import { formatDuration } from '../kernel/units.ts';
import {
  adminOptions,
  adminRefusal,
  adminTarget,
  askAdmin,
  changeByAdmin,
  type AdminAnswer,
  type AdminTarget,
} from './admin-client.ts';
import { type Arguments, type Command, type CommandIo, type OptionSpec, UsageError } from './command.ts';
import { type ExitCode, exitCodes, signalExitCodes } from './exit-codes.ts';
import { pause } from './pause.ts';
import { type Output, printable } from './terminal.ts';
import { counted, drainLine, workText } from './up-text.ts';

/** Between two looks. */
const LOOK_MS = 250;

const serviceOption = {
  service: {
    type: 'string',
    short: 's',
    value: 'NAME',
    summary: 'Only in this service. Default: in all that have it.',
  },
} as const satisfies Record<string, OptionSpec>;

const jsonOption = {
  json: { type: 'boolean', summary: 'Print one JSON list for programs at the end, and no progress.' },
} as const satisfies Record<string, OptionSpec>;

export const drainCommand: Command = {
  spec: {
    usage: 'drain ENDPOINT [--service NAME] [--within TIME] [--force]',
    description: [
      'Takes an endpoint out of work without dropping anything: it gets no new requests, those under way are finished, ' +
        'and the command waits until none is left. Then its server can be stopped. What is not finished --within that ' +
        'time is cut; WebSockets are told to go (1001), which is no cut. ENDPOINT is an address as the config has it. Clients who are ' +
        'pinned to it by a cookie may come for the first half of the time. It lasts until "spillway undrain", whatever ' +
        'is reloaded meanwhile. Needs the token for everything, if there is one.',
      'Ctrl-C ends the command, not the drain.',
      'Exit code 0: drained, nothing was cut; 5: drained, but something had to be cut; 1: refused, because it is the ' +
        'last endpoint of a service that serves (--force does it all the same), or undone by somebody before the end.',
    ],
    options: {
      ...serviceOption,
      within: { type: 'string', value: 'TIME', summary: 'How long it may take, such as 30s. Default: drainTimeout.' },
      force: {
        type: 'boolean',
        summary: 'Also the last one of a service: its requests are answered 503 from then on.',
      },
      ...jsonOption,
      ...adminOptions,
    },
    positionalsMax: 1,
    examples: ['spillway drain 10.0.0.11:3000', 'spillway drain 10.0.0.11:3000 --service shop --within 2m'],
  },

  async run(args, io) {
    const target = adminTarget(args, io.environment);
    const within = args.text('within');
    const request = { ...endpointOf(args, 'drain'), force: args.flag('force') };
    const answer = await changeByAdmin(target, '/api/drain', within === null ? request : { ...request, within });
    const named = readNamed(target, answer);
    if (typeof named === 'string') {
      io.err.prose(io.err.paint('bad', named));
      return exitCodes.no;
    }
    return await watchDrains(target, named, args.flag('json'), io);
  },
};

export const undrainCommand: Command = {
  spec: {
    usage: 'undrain ENDPOINT [--service NAME]',
    description: [
      'Gives an endpoint work again that was taken out by "spillway drain", also in the middle of it. If it is checked, it ' +
        'gets requests when its checks say that it is up; with slowStart, little by little. Needs the token for everything, ' +
        'if there is one.',
      'Exit code 0: it serves, or did; 1: refused, because the config drains it.',
    ],
    options: { ...serviceOption, ...adminOptions },
    positionalsMax: 1,
    examples: ['spillway undrain 10.0.0.11:3000'],
  },

  async run(args, { out, err, environment }) {
    const target = adminTarget(args, environment);
    const named = readNamed(target, await changeByAdmin(target, '/api/undrain', endpointOf(args, 'undrain')));
    if (typeof named === 'string') {
      err.prose(err.paint('bad', named));
      return exitCodes.no;
    }
    for (const name of named) out.prose(drainLine({ kind: 'drain-undone', ...name }, out.paint));
    return exitCodes.ok;
  },
};

interface Named {
  readonly service: string;
  readonly endpoint: string;
}

function endpointOf(args: Arguments, command: string): { readonly endpoint: string; readonly service?: string } {
  const [endpoint] = args.positionals;
  if (endpoint === undefined) throw new UsageError(`which endpoint? Such as: spillway ${command} 10.0.0.11:3000`);
  const service = args.text('service');
  return service === null ? { endpoint } : { endpoint, service };
}

/** Or why it was refused. */
function readNamed(target: AdminTarget, answer: AdminAnswer): readonly Named[] | string {
  const { endpoints, detail } = (answer.body ?? {}) as { readonly endpoints?: unknown; readonly detail?: unknown };
  if (answer.status === 409 && typeof detail === 'string') return printable(detail);
  if (answer.status === 200 && Array.isArray(endpoints)) {
    return (endpoints as Named[]).map(({ service, endpoint }) => ({
      service: printable(service),
      endpoint: printable(endpoint),
    }));
  }
  throw adminRefusal(target, answer);
}

/** An endpoint of a service with what it has; null as a drain: it serves, or is not there any more. */
interface Watched extends Named {
  readonly drain: DrainState | null;
  readonly requests: number;
  readonly tunnels: number;
  readonly connections: number;
}

async function watchDrains(
  target: AdminTarget,
  named: readonly Named[],
  json: boolean,
  { out, err, clock }: CommandIo,
): Promise<ExitCode> {
  const interrupt = Promise.withResolvers<'interrupted'>();
  const onInterrupt = (): void => interrupt.resolve('interrupted');
  process.once('SIGINT', onInterrupt);
  const said = new Map<string, string>();
  try {
    for (;;) {
      const watched = await look(target, named);
      if (!json) for (const each of watched) sayNews(each, said, clock.wallMs(), out);
      if (watched.every(({ drain }) => drain === null || drain.phase === 'drained')) {
        if (json) out.line(JSON.stringify(watched, null, 2));
        return codeOf(watched);
      }
      if ((await Promise.race([pause(clock, LOOK_MS), interrupt.promise])) === 'interrupted') {
        const names = [...new Set(named.map(({ endpoint }) => endpoint))].join(' ');
        err.prose(`The drain goes on; "spillway undrain ${names}" undoes it.`);
        return signalExitCodes.SIGINT;
      }
    }
  } finally {
    process.off('SIGINT', onInterrupt);
  }
}

/** All that are named have the same address. */
async function look(target: AdminTarget, named: readonly Named[]): Promise<readonly Watched[]> {
  const answer = await askAdmin(target, `/api/endpoints/${encodeURIComponent(named[0]?.endpoint ?? '')}`);
  const { endpoints } = (answer.body ?? {}) as { readonly endpoints?: readonly EndpointOfService[] };
  if (answer.status !== 200 || endpoints === undefined) throw adminRefusal(target, answer);
  return named.map((name) =>
    watchedOf(
      name,
      endpoints.find(({ service }) => service === name.service),
    ),
  );
}

function watchedOf({ service, endpoint }: Named, state: EndpointOfService | undefined): Watched {
  const name = { service, endpoint };
  if (state === undefined) return { ...name, drain: null, requests: 0, tunnels: 0, connections: 0 };
  const { drain, inFlight, tunnels, connections } = state;
  return { ...name, drain, requests: inFlight - tunnels, tunnels, connections };
}

/** What has changed since it was said, in a line. */
function sayNews(watched: Watched, said: Map<string, string>, nowMs: number, out: Output): void {
  const { service, endpoint, drain, connections } = watched;
  const news = `${drain?.phase} ${workText(watched)} ${connections}`;
  const key = `${service} ${endpoint}`;
  if (said.get(key) === news) return;
  said.set(key, news);
  out.prose(newsLine(watched, nowMs, out));
}

function newsLine(watched: Watched, nowMs: number, { paint }: Output): string {
  const { service, endpoint, drain, connections } = watched;
  const subject = `endpoint ${endpoint} of ${service}`;
  if (drain === null) return paint('bad', `${subject} is not drained any more: it was undone, or left the config`);
  switch (drain.phase) {
    case 'draining': {
      const leftMs = Math.max(0, Date.parse(drain.until) - nowMs);
      const rest = formatDuration(Math.ceil(leftMs / 1000) * 1000);
      return `${subject}: ${workText(watched)} left on ${counted(connections, 'connection')}, ${rest} to go`;
    }
    case 'cutting':
      return paint('warn', `${subject}: the time is over, what is left is ended`);
    case 'drained': {
      const tookMs = Date.parse(drain.ended ?? drain.until) - Date.parse(drain.since);
      return drainLine({ kind: 'drain-ended', service, endpoint, tookMs, ...endOf(drain) }, paint);
    }
    default:
      return drain.phase satisfies never;
  }
}

function endOf({ cut, told }: DrainState): Pick<DrainState, 'cut' | 'told'> {
  return { cut, told };
}

function codeOf(watched: readonly Watched[]): ExitCode {
  if (watched.some(({ drain }) => drain === null)) return exitCodes.no;
  return watched.some(({ drain }) => drain?.cut !== null) ? exitCodes.cut : exitCodes.ok;
}
