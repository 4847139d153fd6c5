/**
 * `spillway up`: runs the gateway until a signal ends it.
 *
 * What people read goes to stderr, so that stdout holds nothing but the access log, if the config sends it there.
 * Signals: the first SIGINT or SIGTERM drains, a second ends now; SIGHUP reloads, unless it says that the terminal is gone: then it
 * drains, for nobody could end it by Ctrl-C any more; SIGUSR2 opens the access log anew.
 */
import type { Gateway, GatewayEvent } from '../gateway/index.ts';
import type { Command, CommandIo } from './command.ts';
import { chooseConfig } from './config-file.ts';
import { exitCodes, type ExitCode, signalExitCodes } from './exit-codes.ts';
import { isKeptTerminal, terminalEnd } from './standard-terminal.ts';
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
        'ends now. SIGHUP reads the config again, and where it comes because the terminal was closed it is as Ctrl-C. ' +
        'SIGUSR2 opens the access log anew, after it was rotated away.',
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
  const signals = new Signals(io);
  // Loaded now, not with this file: a SIGHUP meanwhile would end the process.
  const { createGateway } = await import('../gateway/index.ts');
  const events = new EventPrinter(io);
  const gateway = createGateway({ file, clock: io.clock, onEvent: (event) => events.print(event) });
  signals.direct(gateway);
  try {
    // A start that a signal cut short is no failure.
    await Promise.race([gateway.start().catch(signals.unlessAsked), signals.ended]);
    if (gateway.state().phase === 'running') {
      for (const line of screenLines(gateway.state(), io.err.paint, shownToken(gateway, io))) io.err.prose(line);
      io.err.prose(`\n${io.err.paint('dim', 'Ctrl-C drains and ends. Changes follow, one a line.')}`);
      events.release();
      whenRunning(gateway);
      signals.running();
    }
    return await signals.ended;
  } finally {
    events.release();
    await gateway.stop();
    // Not before: one more press of Ctrl-C is no other end.
    signals.dispose();
    if (gateway.state().workers.some(({ phase }) => phase === 'stuck')) {
      io.err.prose('A worker thread is caught in a call of the system: the process ends by SIGTERM, without it.');
      endHard('SIGTERM');
    }
  }
}

/** The token that the gateway made, on a person's terminal alone: what is printed elsewhere is a log, and others read it. */
export function shownToken(gateway: Gateway, { err }: CommandIo): string | null {
  return err.isTerminal && !isKeptTerminal() ? gateway.adminToken() : null;
}

/** Node waits for its threads at the end, also in `exit`: without one that does not end, only a signal ends the process. */
function endHard(signal: NodeJS.Signals): void {
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
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

/** What signals ask of the gateway, from the first moment on; before there is one, they are kept for it. */
class Signals {
  /** Resolves when a signal has ended the gateway. */
  readonly ended: Promise<ExitCode>;
  readonly #clock: CommandIo['clock'];
  readonly #end = Promise.withResolvers<ExitCode>();
  #gateway: Gateway | null = null;
  #askedAtMs: number | null = null;
  /** A reload was asked for before the gateway ran. */
  #reloadLater = false;
  readonly #isTerminalGone = terminalEnd();
  readonly #handlers = {
    SIGINT: () => this.#leave('SIGINT'),
    SIGTERM: () => this.#leave('SIGTERM'),
    SIGHUP: () => (this.#isTerminalGone() ? this.#leaveOnce() : this.#reload()),
    SIGUSR2: () => this.#gateway?.reopenLog(),
    // The launcher in a clone of the repository is gone.
    disconnect: () => this.#leave('SIGTERM'),
  };

  constructor({ clock }: CommandIo) {
    this.#clock = clock;
    this.ended = this.#end.promise;
    for (const [signal, handler] of Object.entries(this.#handlers)) process.on(signal, handler);
    // Without a launcher there is no such property; false: it has gone before anybody listened.
    if ('connected' in process && !process.connected) this.#leave('SIGTERM');
  }

  /** From now on there is a gateway to tell. */
  direct(gateway: Gateway): void {
    this.#gateway = gateway;
    if (this.#askedAtMs !== null) this.#endGateway(gateway);
  }

  /** The gateway runs: what was asked for meanwhile is done. */
  running(): void {
    if (this.#reloadLater) this.#reload();
  }

  /** Throws the error on, unless a signal has asked for the end. */
  readonly unlessAsked = (error: unknown): void => {
    if (this.#askedAtMs === null) throw error;
  };

  dispose(): void {
    for (const [signal, handler] of Object.entries(this.#handlers)) process.off(signal, handler);
  }

  #leave(signal: 'SIGINT' | 'SIGTERM'): void {
    const gateway = this.#gateway;
    if (this.#askedAtMs !== null) {
      if (this.#clock.nowMs() - this.#askedAtMs < ECHO_MS) return;
      const leave = (): void => process.exit(signalExitCodes[signal]);
      // What has not stopped by then may be a thread that never does.
      this.#clock.after(STOP_MS, () => endHard(signal));
      if (gateway === null) leave();
      else gateway.stop().then(leave, leave);
      return;
    }
    this.#askedAtMs = this.#clock.nowMs();
    if (gateway !== null) this.#endGateway(gateway);
  }

  /** The kernel, the shell and a launcher may all tell of the end of a terminal: that is one end, and no hurry. */
  #leaveOnce(): void {
    if (this.#askedAtMs === null) this.#leave('SIGTERM');
  }

  #endGateway(gateway: Gateway): void {
    const ended = gateway.state().phase === 'running' ? gateway.drain() : gateway.stop();
    ended.then(() => this.#end.resolve(exitCodes.ok), this.#end.reject);
  }

  #reload(): void {
    this.#reloadLater = this.#gateway?.state().phase !== 'running';
    // It tells of itself by an event, refused or not.
    if (!this.#reloadLater) void this.#gateway?.reload({ cause: 'signal' }).catch(() => null);
  }
}
