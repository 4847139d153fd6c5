/** `spillway check`: says everything that is wrong with a config, and runs nothing. */
import { formatMistake, loadConfig, type Mistake } from '../gateway/config/index.ts';
import type { Clock } from '../kernel/clock.ts';
import { SpillwayError } from '../kernel/errors.ts';
import type { Command } from './command.ts';
import { chooseConfig } from './config-file.ts';
import { exitCodes } from './exit-codes.ts';
import { printable } from './terminal.ts';

export const checkCommand: Command = {
  spec: {
    usage: 'check [FILE] [--json]',
    description: [
      'Lists every mistake in one go, each with file:line:column, what was found, what was expected, and the ' +
        'nearest valid name. Files it refers to (certificates, keys) are read as well.',
      'Exit code 0: it can be used, perhaps with warnings; 1: it has mistakes.',
    ],
    options: {
      json: { type: 'boolean', summary: 'Print one JSON object for programs: {file, valid, mistakes}.' },
    },
    positionalsMax: 1,
    examples: ['spillway check', 'spillway check deploy/spillway.yaml --json'],
  },

  async run(args, { out, err, clock }) {
    const named = args.positionals[0] ?? null;
    if (args.flag('json')) {
      const answer = await look(named, clock).catch((error: unknown) => unreadable(named, error));
      out.line(JSON.stringify(answer, null, 2));
      return answer.valid ? exitCodes.ok : exitCodes.no;
    }
    const { file, valid, mistakes } = await look(named, clock);
    for (const mistake of mistakes) out.line(printable(formatMistake(mistake)));
    const verdict = `${printable(file)}: ${valid ? 'ok' : 'not usable'}${counted(mistakes)}`;
    err.line(err.paint(valid ? 'good' : 'bad', verdict));
    return valid ? exitCodes.ok : exitCodes.no;
  },
};

interface Checked {
  readonly file: string | null;
  readonly valid: boolean;
  readonly mistakes: readonly Mistake[];
}

async function look(named: string | null, clock: Clock): Promise<Checked & { readonly file: string }> {
  const file = chooseConfig(named);
  const { config, mistakes } = await loadConfig(file, { clock });
  return { file, valid: config !== null, mistakes };
}

/** A program that asked for JSON gets it, whatever is wrong. */
function unreadable(file: string | null, error: unknown): Checked {
  if (!(error instanceof SpillwayError)) throw error;
  const place = { path: '', file: file ?? '', line: 1, column: 1 };
  const nothing = { found: null, expected: null, suggestion: null };
  return { file, valid: false, mistakes: [{ severity: 'error', ...place, message: error.message, ...nothing }] };
}

function counted(mistakes: readonly Mistake[]): string {
  const errors = mistakes.filter(({ severity }) => severity === 'error').length;
  const warnings = mistakes.length - errors;
  const parts = [
    errors === 0 ? null : `${errors} ${errors === 1 ? 'mistake' : 'mistakes'}`,
    warnings === 0 ? null : `${warnings} ${warnings === 1 ? 'warning' : 'warnings'}`,
  ].filter((part) => part !== null);
  return parts.length === 0 ? '' : ` (${parts.join(', ')})`;
}
