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
    description:
      'Runs the gateway from a config file: the one named, else spillway.yaml or spillway.config.ts in this folder.\n' +
      'Prints what runs, then a line for each thing that changes, on stderr. A changed file is applied when it is\n' +
      'valid; a bad one changes nothing.\n' +
      '\n' +
      'Signals: Ctrl-C (SIGINT) or SIGTERM takes no new work, finishes what is running and ends; a second one ends now.\n' +
      'SIGHUP reads the config again. SIGUSR2 opens the access log anew, after it was rotated away.',
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
  const gateway = createGateway({ file, clock: io.clock, onEvent: (event) => printEvent(event, io) });
  const ending = endBySignals(gateway, io);
  try {
    // A start that a signal cut short is no failure.
    await Promise.race([gateway.start().catch(ending.unlessAsked), ending.promise]);
    if (gateway.state().phase === 'running') {
      for (const line of screenLines(gateway.state(), io.err.paint)) io.err.line(line);
      io.err.line(`\n${io.err.paint('dim', 'Ctrl-C drains and ends. Changes follow, one a line.')}`);
      whenRunning(gateway);
    }
    return await ending.promise;
  } finally {
    ending.dispose();
    await gateway.stop();
  }
}

function printEvent(event: GatewayEvent, { err, clock }: CommandIo): void {
  const [first, ...more] = eventLines(event, err.paint);
  if (first === undefined) return;
  err.line(`${err.paint('dim', wallTime(clock.wallMs()))} ${first}`);
  for (const line of more) err.line(`         ${line}`);
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
