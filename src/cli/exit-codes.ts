/** What a command's exit code means: a promise to scripts, held equal to docs/cli.md by a test. */

export const exitCodes = {
  ok: 0,
  /** The config has mistakes, or the answer is no: `explain` found that the request would be refused. */
  no: 1,
  /** The command line is wrong. */
  usage: 2,
  /** It cannot run: a port is taken, an address is not here, a file cannot be written. */
  cannotRun: 3,
  /** No running gateway answered. */
  unreachable: 4,
  /** Drained, but something took too long. */
  cut: 5,
  /** A fault in Spillway itself, reported with its stack (EX_SOFTWARE of sysexits). */
  fault: 70,
} as const;

/** For the help. */
export const exitCodeMeanings: Readonly<Record<(typeof exitCodes)[keyof typeof exitCodes], string>> = {
  0: 'done, or the answer is yes',
  1: 'mistakes in the config, or the answer is no',
  2: 'wrong command line',
  3: 'it cannot run',
  4: 'no running gateway answered',
  5: 'drained, but something had to be cut',
  70: 'a fault in Spillway',
};

/** 128 + number, as shells say it: ended by a signal before it was done. */
export const signalExitCodes = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

export type ExitCode =
  | (typeof exitCodes)[keyof typeof exitCodes]
  | (typeof signalExitCodes)[keyof typeof signalExitCodes];
