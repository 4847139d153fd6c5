/**
 * `spillway slo`: objectives to Prometheus rules, and what they mean before they are used, are here; the gate and the backtest
 * have files of their own.
 */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SpillwayError } from '../kernel/errors.ts';
import { nearest } from '../kernel/nearest.ts';
import { type CompiledFile, compileSlos, judgeSlo, loadSlos, type SloFile } from '../observe/index.ts';
import { madeBy } from '../observe/slo/compile.ts';
import { formatMistake, type Mistake } from '../reading/mistakes.ts';
import { adminOptions } from './admin-client.ts';
import { type Arguments, type Command, type CommandIo, UsageError } from './command.ts';
import { type ExitCode, exitCodes } from './exit-codes.ts';
import { passOptions } from './pass.ts';
import { backtest } from './slo-backtest.ts';
import { gate } from './slo-gate.ts';
import { status } from './slo-status.ts';
import { verdictLines } from './slo-text.ts';
import { printable } from './terminal.ts';

export const sloCommand: Command = {
  spec: {
    usage: 'slo compile FILE --out DIR | slo check FILE | slo status | slo gate [FILE] | slo backtest FILE --data FILE',
    description: [
      'FILE holds the objectives of one service: OpenSLO v1, the short form or a format of Sloth as YAML, or a module made with ' +
        'defineSlo.',
      'compile writes recording rules, burn-rate alerts, tests of them for promtool, a dashboard of the service and one over all, ' +
        'and routes for Alertmanager. A file that was not made by it is left as it is.',
      'check says what the objectives mean: the budget, which alerts can fire, how long failures last before a page.',
      'status says how the objectives of a running gateway stand: what is left of each budget, how fast it goes, and what fires.',
      'gate says whether something may be deployed: not while a budget is frozen. It asks a running gateway, or with --status ' +
        'a file that holds what GET /api/slo answered, or with --prometheus a Prometheus that has the rules of FILE.',
      'backtest says how good the alerts of an objective would have been on recorded data: a table of time,good,total, or counters ' +
        'with times as promtool tsdb dump writes them. What they should have told is in a table of from,to,name, or is what spent ' +
        'a share of the budget.',
      'Exit code 0: done, or the gate is open; 1: there are mistakes, nothing that fails could page, a file is in the way, ' +
        'or the gate is shut; 3 or 4: it is not known what is left of a budget.',
    ],
    options: {
      out: { type: 'string', value: 'DIR', summary: 'compile: the folder to write to. It is made if it is not there.' },
      labels: { type: 'string', value: 'STYLE', summary: 'Label names in Prometheus, spillway (default) or sloth.' },
      rate: { type: 'string', value: 'N', summary: 'check: requests a second, for the budget in failures.' },
      json: { type: 'boolean', summary: 'Print one JSON object.' },
      service: { type: 'string', value: 'NAME', summary: 'status, gate: only the objectives of this service.' },
      status: { type: 'string', value: 'FILE', summary: 'gate: what GET /api/slo answered.' },
      'max-age': { type: 'string', value: 'TIME', summary: 'gate: how old that may be. Default: 1h.' },
      prometheus: { type: 'string', value: 'URL', summary: 'gate: a Prometheus to ask.' },
      ...passOptions,
      data: { type: 'string', value: 'FILE', summary: 'backtest: what was recorded.' },
      slo: { type: 'string', value: 'NAME', summary: 'backtest: the objective, if there are several.' },
      incidents: { type: 'string', value: 'FILE', summary: 'backtest: what should have been told.' },
      spent: {
        type: 'string',
        value: 'SHARE',
        summary: 'backtest: instead, whatever spent this share of the budget at once. Default: 2%.',
      },
      ...adminOptions,
    },
    positionalsMax: 2,
    examples: [
      'spillway slo check shop.slo.yaml --rate 50',
      'spillway slo compile shop.slo.yaml --out prometheus',
      'spillway slo gate && spillway apply next.yaml',
      'spillway slo backtest shop.slo.yaml --slo availability --data october.csv',
    ],
  },

  async run(args, io) {
    const [action = '', file] = args.positionals;
    const chosen = Object.hasOwn(actions, action) ? actions[action] : undefined;
    if (chosen === undefined) {
      const names = Object.keys(actions);
      const guess = nearest(action, names);
      const all = `there are ${names.slice(0, -1).join(', ')} and ${names.at(-1)}`;
      if (action === '') throw new UsageError(`what is to be done? ${all[0]?.toUpperCase()}${all.slice(1)}`);
      throw new UsageError(`there is no slo ${action}; ${guess === null ? all : `did you mean ${guess}?`}`);
    }
    for (const option of Object.keys(sloCommand.spec.options)) {
      if (args.flag(option) && !chosen.options.includes(option))
        throw new UsageError(`slo ${action} has no --${option}`);
    }
    return await chosen.run(file, args, io);
  },
};

interface Action {
  readonly options: readonly string[];
  readonly run: (file: string | undefined, args: Arguments, io: CommandIo) => Promise<ExitCode>;
}

const asks = ['service', 'status', 'max-age', 'prometheus', 'labels', 'json'];

const actions: Readonly<Record<string, Action>> = {
  compile: { options: ['out', 'labels'], run: compile },
  check: { options: ['rate', 'json'], run: check },
  backtest: { options: ['data', 'slo', 'incidents', 'spent', 'json'], run: backtest },
  status: { options: ['service', 'json', ...Object.keys(adminOptions)], run: status },
  gate: { options: [...asks, ...Object.keys(passOptions), ...Object.keys(adminOptions)], run: gate },
};

function named(file: string | undefined): string {
  if (file === undefined) throw new UsageError('which file has the objectives?');
  return file;
}

async function compile(given: string | undefined, args: Arguments, { out, err, clock }: CommandIo): Promise<ExitCode> {
  const file = named(given);
  const folder = args.text('out');
  if (folder === null) throw new UsageError('where to? --out DIR');
  const labels = args.text('labels') ?? 'spillway';
  if (labels !== 'spillway' && labels !== 'sloth')
    throw new UsageError(`--labels is spillway or sloth, and not ${labels}`);
  const { slos, mistakes } = await loadSlos(file, { clock });
  for (const mistake of mistakes) err.line(printable(formatMistake(mistake)));
  if (slos === null) return exitCodes.no;
  const compiled = compileSlos(slos, { labels });
  try {
    mkdirSync(folder, { recursive: true });
    const inTheWay = compiled.filter(({ name }) => isForeign(join(folder, name)));
    for (const { name } of inTheWay)
      err.line(`spillway: ${join(folder, name)} was not made by slo compile and is left as it is.`);
    if (inTheWay.length > 0) return exitCodes.no;
    for (const each of compiled) out.line(`${write(folder, each).padEnd(9)} ${join(folder, each.name)}`);
    return exitCodes.ok;
  } catch (error) {
    err.line(`spillway: ${folder} cannot be written (${(error as NodeJS.ErrnoException).code ?? 'unknown'}).`);
    return exitCodes.cannotRun;
  }
}

function contentOf(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

function isForeign(path: string): boolean {
  const text = contentOf(path);
  return text !== null && !text.includes(madeBy);
}

/** Whole or not at all: Prometheus may read it at any moment. */
function write(folder: string, { name, text }: CompiledFile): string {
  const path = join(folder, name);
  const before = contentOf(path);
  if (before === text) return 'unchanged';
  writeFileSync(`${path}.new`, text);
  renameSync(`${path}.new`, path);
  return before === null ? 'written' : 'changed';
}

async function check(given: string | undefined, args: Arguments, { out, err, clock }: CommandIo): Promise<ExitCode> {
  const file = named(given);
  const rate = readRate(args.text('rate'));
  const json = args.flag('json');
  const { slos, mistakes } = await loadSlos(file, { clock }).catch((error: unknown) => unreadable(file, error, json));
  const verdicts = (slos?.slos ?? []).map((slo) => judgeSlo(slo, { rate }));
  if (json) {
    const answer = { file, valid: slos !== null, mistakes, service: slos?.service ?? null, slos: verdicts };
    out.line(JSON.stringify(answer, null, 2));
  } else {
    for (const mistake of mistakes) err.line(printable(formatMistake(mistake)));
    for (const verdict of verdicts) for (const line of verdictLines(verdict, rate, out.paint)) out.prose(line);
  }
  return slos !== null && verdicts.every(({ canPage }) => canPage) ? exitCodes.ok : exitCodes.no;
}

function readRate(text: string | null): number | null {
  if (text === null) return null;
  const rate = /^\d{1,9}(\.\d{1,6})?$/.test(text) ? Number(text) : 0;
  if (rate > 0) return rate;
  throw new UsageError(`--rate is a number of requests a second, such as 50 or 0.5, and not ${JSON.stringify(text)}`);
}

/** A program that asked for JSON gets it, whatever is wrong. */
function unreadable(
  file: string,
  error: unknown,
  json: boolean,
): { readonly slos: SloFile | null; readonly mistakes: Mistake[] } {
  if (!json || !(error instanceof SpillwayError)) throw error;
  const nothing = { found: null, expected: null, suggestion: null };
  return {
    slos: null,
    mistakes: [{ severity: 'error', path: '', file, line: 1, column: 1, message: error.message, ...nothing }],
  };
}
