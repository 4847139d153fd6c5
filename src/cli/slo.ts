/** `spillway slo compile` and `spillway slo check`: objectives to Prometheus rules, and what they mean before they are used. */
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { SpillwayError } from '../kernel/errors.ts';
import { nearest } from '../kernel/nearest.ts';
import { type CompiledFile, compileSlos, judgeSlo, loadSlos, type SloFile } from '../observe/index.ts';
import { madeBy } from '../observe/slo/compile.ts';
import { formatMistake, type Mistake } from '../reading/mistakes.ts';
import { type Arguments, type Command, type CommandIo, UsageError } from './command.ts';
import { type ExitCode, exitCodes } from './exit-codes.ts';
import { verdictLines } from './slo-text.ts';
import { printable } from './terminal.ts';

export const sloCommand: Command = {
  spec: {
    usage: 'slo compile FILE --out DIR | slo check FILE [--rate N] [--json]',
    description: [
      'FILE holds the objectives of one service: OpenSLO v1, the short form or a format of Sloth as YAML, or a module made with ' +
        'defineSlo.',
      'compile writes recording rules, burn-rate alerts, tests of them for promtool, a dashboard of the service and one over all, ' +
        'and routes for Alertmanager. A file that was not made by it is left as it is.',
      'check says what the objectives mean: the budget, which alerts can fire, how long failures last before a page.',
      'Exit code 0: done; 1: there are mistakes, or nothing that fails could page, or a file is in the way.',
    ],
    options: {
      out: { type: 'string', value: 'DIR', summary: 'compile: the folder to write to. It is made if it is not there.' },
      labels: { type: 'string', value: 'STYLE', summary: 'compile: label names, spillway (default) or sloth.' },
      rate: { type: 'string', value: 'N', summary: 'check: requests a second, for the budget in failures.' },
      json: { type: 'boolean', summary: 'check: print one JSON object: {file, valid, mistakes, slos}.' },
    },
    positionalsMax: 2,
    examples: ['spillway slo check shop.slo.yaml --rate 50', 'spillway slo compile shop.slo.yaml --out prometheus'],
  },

  async run(args, io) {
    const [action = '', file] = args.positionals;
    const chosen = Object.hasOwn(actions, action) ? actions[action as keyof typeof actions] : null;
    if (chosen === null) {
      const guess = nearest(action, Object.keys(actions));
      const hint = guess === null ? 'there are compile and check' : `did you mean ${guess}?`;
      throw new UsageError(
        action === '' ? `what is to be done? There are compile and check` : `there is no slo ${action}; ${hint}`,
      );
    }
    for (const option of ['out', 'labels', 'rate', 'json']) {
      if (args.flag(option) && !chosen.options.includes(option))
        throw new UsageError(`slo ${action} has no --${option}`);
    }
    if (file === undefined) throw new UsageError('which file has the objectives?');
    return await chosen.run(file, args, io);
  },
};

interface Action {
  readonly options: readonly string[];
  readonly run: (file: string, args: Arguments, io: CommandIo) => Promise<ExitCode>;
}

const actions: Readonly<Record<'compile' | 'check', Action>> = {
  compile: { options: ['out', 'labels'], run: compile },
  check: { options: ['rate', 'json'], run: check },
};

async function compile(file: string, args: Arguments, { out, err, clock }: CommandIo): Promise<ExitCode> {
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

async function check(file: string, args: Arguments, { out, err, clock }: CommandIo): Promise<ExitCode> {
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
