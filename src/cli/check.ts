/** `spillway check`: says everything that is wrong with a config, and runs nothing. */
import { formatMistake, loadConfig, type Mistake } from '../gateway/config/index.ts';
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
    const file = chooseConfig(args.positionals[0] ?? null);
    const { config, mistakes } = await loadConfig(file, { clock });
    const valid = config !== null;
    if (args.flag('json')) {
      out.line(JSON.stringify({ file, valid, mistakes }, null, 2));
      return valid ? exitCodes.ok : exitCodes.no;
    }
    for (const mistake of mistakes) out.line(printable(formatMistake(mistake)));
    const verdict = `${printable(file)}: ${valid ? 'ok' : 'not usable'}${counted(mistakes)}`;
    err.line(err.paint(valid ? 'good' : 'bad', verdict));
    return valid ? exitCodes.ok : exitCodes.no;
  },
};

function counted(mistakes: readonly Mistake[]): string {
  const errors = mistakes.filter(({ severity }) => severity === 'error').length;
  const warnings = mistakes.length - errors;
  const parts = [
    errors === 0 ? null : `${errors} ${errors === 1 ? 'mistake' : 'mistakes'}`,
    warnings === 0 ? null : `${warnings} ${warnings === 1 ? 'warning' : 'warnings'}`,
  ].filter((part) => part !== null);
  return parts.length === 0 ? '' : ` (${parts.join(', ')})`;
}
