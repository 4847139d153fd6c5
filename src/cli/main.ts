/**
 * The `spillway` command: finds the command, runs it, turns what it throws into a line and an exit code.
 *
 * A user's mistake is one line without a stack; a fault of ours has its stack, because somebody will have to mend it.
 * The process ends by running out of work, not by `exit`, so that what was written is read.
 */
import { SpillwayError } from '../kernel/errors.ts';
import { nearest } from '../kernel/nearest.ts';
import { formatHelp, formatRows, parseArguments } from './arguments.ts';
import { type Command, UsageError } from './command.ts';
import { exitCodeMeanings, exitCodes, type ExitCode } from './exit-codes.ts';
import { processIo } from './process-io.ts';
import { helpWidth } from './terminal.ts';
import { packageVersion } from '../kernel/version.ts';

interface CommandEntry {
  readonly summary: string;
  /** Loaded when it is run: `--help` need not wait for a gateway. */
  readonly load: () => Promise<Command>;
}

const commands: Readonly<Record<string, CommandEntry>> = {
  up: { summary: 'Run the gateway.', load: async () => (await import('./up.ts')).upCommand },
  check: {
    summary: 'Validate a config without running it.',
    load: async () => (await import('./check.ts')).checkCommand,
  },
  explain: {
    summary: 'Say what would happen to a request, and why.',
    load: async () => (await import('./explain.ts')).explainCommand,
  },
  reload: {
    summary: 'Have a running gateway read its config again.',
    load: async () => (await import('./reload.ts')).reloadCommand,
  },
  apply: {
    summary: 'Put another config in force, on trial first if asked.',
    load: async () => (await import('./apply.ts')).applyCommand,
  },
  history: {
    summary: 'List the configs that were in force, and what each changed.',
    load: async () => (await import('./history.ts')).historyCommand,
  },
  rollback: {
    summary: 'Put one of them back in force.',
    load: async () => (await import('./rollback.ts')).rollbackCommand,
  },
  drain: {
    summary: 'Take an endpoint out of work, and wait until nothing is left there.',
    load: async () => (await import('./drain.ts')).drainCommand,
  },
  undrain: {
    summary: 'Give it work again.',
    load: async () => (await import('./drain.ts')).undrainCommand,
  },
  slo: {
    summary: 'Check what a service promises, and compile it for Prometheus.',
    load: async () => (await import('./slo.ts')).sloCommand,
  },
  init: { summary: 'Write a commented starter config.', load: async () => (await import('./init.ts')).initCommand },
};

const io = processIo();

function overview(): string {
  const width = helpWidth(io.out);
  return [
    'Usage: spillway COMMAND [options]',
    '',
    'A load-balancing gateway, run from one config file.',
    '',
    'Commands:',
    ...formatRows(
      Object.entries(commands).map(([name, { summary }]) => [name, summary]),
      width,
    ),
    '',
    'Options:',
    ...formatRows(
      [
        ['-h, --help', 'Show this help; after a command, the help of that command.'],
        ['-v, --version', 'Show the version.'],
      ],
      width,
    ),
    '',
    'Exit codes:',
    ...formatRows(Object.entries(exitCodeMeanings), width),
  ].join('\n');
}

async function run(args: readonly string[]): Promise<ExitCode> {
  const [name, ...rest] = args;
  if (name === undefined) {
    io.err.line(overview());
    return exitCodes.usage;
  }
  if (name === '--version' || name === '-v') {
    io.out.line(packageVersion());
    return exitCodes.ok;
  }
  if (name === '--help' || name === '-h' || (name === 'help' && rest.length === 0)) {
    io.out.line(overview());
    return exitCodes.ok;
  }
  if (name === 'help') return runCommand(rest[0] ?? '', ['--help']);
  return runCommand(name, rest);
}

async function runCommand(name: string, args: readonly string[]): Promise<ExitCode> {
  const entry = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (entry === undefined) throw unknownCommand(name);
  const command = await entry.load();
  try {
    const parsed = parseArguments(command.spec, args);
    if (parsed.flag('help')) {
      io.out.line(formatHelp(command.spec, helpWidth(io.out)));
      return exitCodes.ok;
    }
    return await command.run(parsed, io);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    io.err.prose(`spillway ${name}: ${error.message}`);
    io.err.line(`Usage: spillway ${command.spec.usage}   (spillway ${name} --help)`);
    return exitCodes.usage;
  }
}

function unknownCommand(name: string): UsageError {
  const names = Object.keys(commands);
  const what = name.startsWith('-')
    ? `there is no option ${name} before a command`
    : `there is no command ${JSON.stringify(name)}`;
  const guess = nearest(name, [...names, 'help']);
  return new UsageError(guess === null ? `${what}; there are ${names.join(', ')}` : `${what}. Did you mean ${guess}?`);
}

function report(error: unknown): ExitCode {
  if (error instanceof UsageError) {
    io.err.prose(`spillway: ${error.message}`);
    io.err.line('See spillway --help.');
    return exitCodes.usage;
  }
  if (!(error instanceof SpillwayError)) {
    io.err.prose('spillway: this is a fault in Spillway, not in what you did. Please report it with the lines below.');
    io.err.line(error instanceof Error ? (error.stack ?? error.message) : String(error));
    return exitCodes.fault;
  }
  io.err.prose(`spillway: ${error.message}`);
  switch (error.code) {
    case 'CONFIG_INVALID':
    case 'CONFIG_NOT_FOUND':
    case 'ENDPOINTS_INVALID':
    case 'ENDPOINTS_ELSEWHERE':
    case 'ENDPOINTS_FULL':
    case 'ENDPOINT_UNKNOWN':
    case 'ADMIN_TOKEN_REQUIRED':
    case 'BUDGET_FROZEN':
      return exitCodes.no;
    case 'ADMIN_REFUSED':
    case 'ADMIN_UNREACHABLE':
      return exitCodes.unreachable;
    case 'BUDGET_UNKNOWN':
    case 'LISTEN_FAILED':
    case 'USER_FAILED':
    case 'GATEWAY_STATE':
    case 'WORKER_FAILED':
    case 'ADDRESS_REFUSED':
    case 'STORE_UNAVAILABLE':
    case 'DNS_FAILED':
    case 'STORE_REFUSED':
    case 'STORE_UNSURE':
    case 'ETCD_LEASE_GONE':
    case 'LEASE_TAKEN':
    case 'LEASE_LOST':
    case 'LEASE_LATE':
    case 'LEASES_CLOSED':
    case 'CRON_RECORD':
    case 'ANSWER_TOO_LARGE':
    case 'KEYS_APART':
    case 'FILTER_DAMAGED':
    case 'FILTER_FILE':
    case 'FILTER_FULL':
    case 'PACKAGE_MISSING':
    case 'DATA_BUSY':
    case 'CLOCK_BEHIND':
    case 'FILTER_BUSY':
    case 'HISTORY_INVALID':
    case 'ZOOKEEPER_SESSION_ENDED':
    case 'METRIC_CONFLICT':
    case 'INSTRUMENTED':
    case 'METRICS_FULL':
    case 'LEDGER_FILE':
    case 'OTLP_INVALID':
    case 'CACHE_LOAD_LATE':
    case 'OPTIONS_INVALID':
      return exitCodes.cannotRun;
    default:
      return error.code satisfies never;
  }
}

// WHY at import: this file is the program; nothing imports it but the launcher.
try {
  process.exitCode = await run(process.argv.slice(2));
} catch (error) {
  process.exitCode = report(error);
}
