/**
 * `spillway up`: runs the gateway until a signal ends it.
 *
 * What people read goes to stderr, so that stdout holds nothing but the access log, if the config sends it there.
 * Signals: the first SIGINT or SIGTERM drains, a second ends now; SIGHUP reloads; SIGUSR2 opens the access log anew.
 */
import { createGateway, type Gateway, type GatewayEvent } from '../gateway/index.ts';
import type { Command, CommandIo } from './command.ts';
import { chooseConfig } from './config-file.ts';
import { exitCodes, type ExitCode, signalExitCodes } from './exit-codes.ts';
import { eventLines, screenLines, wallTime } from './up-text.ts';

/** Ctrl-C under npx arrives twice, from the terminal and passed on by npm; nobody presses it twice this fast. */
const ECHO_MS = 300;
/** After a second signal: time for sockets to be closed in order, before the process goes in any case. */
const STOP_MS = 1000;

export const upCommand: Command = {
  spec: {
    usage: 'up [FILE]',
    description: [
      'Runs the gateway from a config file: the one named, else spillway.yaml or spillway.config.ts in this ' +
        'folder. Prints what runs, then a line for each thing that changes, on stderr. A changed file is applied ' +
        'when it is valid; a bad one changes nothing.',
      'Signals: Ctrl-C (SIGINT) or SIGTERM takes no new work, finishes what is running and ends; a second one ' +
        'ends now. SIGHUP reads the config again. SIGUSR2 opens the access log anew, after it was rotated away.',
    ],
    options: {},
    positionalsMax: 1,
    examples: ['spillway up', 'spillway up deploy/spillway.yaml'],
  },

  run: (args, io) => runGateway(chooseConfig(args.positionals[0] ?? null), io),
};

/** Runs until a signal ends it. `whenRunning` is called once, after the screen. Also what the quickstart runs. */
export async function runGateway(
  file: string,
  io: CommandIo,
  whenRunning: (gateway: Gateway) => void = () => undefined,
): Promise<ExitCode> {
  const events = new EventPrinter(io);
  const gateway = createGateway({ file, clock: io.clock, onEvent: (event) => events.print(event) });
  const ending = endBySignals(gateway, io);
  try {
    // A start that a signal cut short is no failure.
    await Promise.race([gateway.start().catch(ending.unlessAsked), ending.promise]);
    if (gateway.state().phase === 'running') {
      for (const line of screenLines(gateway.state(), io.err.paint)) io.err.prose(line);
      io.err.prose(`\n${io.err.paint('dim', 'Ctrl-C drains and ends. Changes follow, one a line.')}`);
      events.release();
      whenRunning(gateway);
    }
    return await ending.promise;
  } finally {
    events.release();
    ending.dispose();
    await gateway.stop();
  }
}

/** Prints what happens, and what happens before the screen after it. */
class EventPrinter {
  readonly #io: CommandIo;
  #held: string[] | null = [];

  constructor(io: CommandIo) {
    this.#io = io;
  }

  print(event: GatewayEvent): void {
    const { err, clock } = this.#io;
    const [first, ...more] = eventLines(event, err.paint);
    if (first === undefined) return;
    const lines = [`${err.paint('dim', wallTime(clock.wallMs()))} ${first}`, ...more.map((line) => `         ${line}`)];
    if (this.#held === null) for (const line of lines) err.prose(line);
    else this.#held.push(...lines);
  }

  release(): void {
    for (const line of this.#held ?? []) this.#io.err.prose(line);
    this.#held = null;
  }
}

interface Ending {
  /** Resolves when a signal has ended the gateway. */
  readonly promise: Promise<ExitCode>;
  /** Throws the error on, unless a signal has asked for the end. */
  readonly unlessAsked: (error: unknown) => void;
  dispose(): void;
}

function endBySignals(gateway: Gateway, { clock }: CommandIo): Ending {
  const { promise, resolve, reject } = Promise.withResolvers<ExitCode>();
  let askedAtMs: number | null = null;
  const end = (signal: 'SIGINT' | 'SIGTERM'): void => {
    if (askedAtMs !== null) {
      if (clock.nowMs() - askedAtMs < ECHO_MS) return;
      const leave = (): void => process.exit(signalExitCodes[signal]);
      clock.after(STOP_MS, leave);
      gateway.stop().then(leave, leave);
      return;
    }
    askedAtMs = clock.nowMs();
    const ended = gateway.state().phase === 'running' ? gateway.drain() : gateway.stop();
    ended.then(() => resolve(exitCodes.ok), reject);
  };
  const handlers = {
    SIGINT: () => end('SIGINT'),
    SIGTERM: () => end('SIGTERM'),
    // A reload tells of itself by an event, refused or not.
    SIGHUP: () => void gateway.reload({ cause: 'signal' }).catch(() => null),
    SIGUSR2: () => gateway.reopenLog(),
  };
  for (const [signal, handler] of Object.entries(handlers)) process.on(signal, handler);
  return {
    promise,
    unlessAsked: (error) => {
      if (askedAtMs === null) throw error;
    },
    dispose() {
      for (const [signal, handler] of Object.entries(handlers)) process.off(signal, handler);
    },
  };
}
