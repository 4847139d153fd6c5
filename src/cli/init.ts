/** `spillway init`: writes a commented config to start from. */
import { writeFileSync } from 'node:fs';
import { extname } from 'node:path';
import { configTemplate } from '../gateway/config/template.ts';
import { type Command, UsageError } from './command.ts';
import { exitCodes } from './exit-codes.ts';

export const initCommand: Command = {
  spec: {
    usage: 'init [FILE] [--force]',
    description: [
      'Writes a starter config, valid as it stands, to FILE (default: spillway.yaml). An existing file is kept.',
    ],
    options: {
      force: { type: 'boolean', summary: 'Overwrite the file if it exists.' },
    },
    positionalsMax: 1,
    examples: ['spillway init', 'spillway init deploy/spillway.yaml'],
  },

  async run(args, { err }) {
    const file = args.positionals[0] ?? 'spillway.yaml';
    if (!['.yaml', '.yml'].includes(extname(file))) throw new UsageError(`${file} must end in .yaml or .yml`);
    try {
      writeFileSync(file, configTemplate, { flag: args.flag('force') ? 'w' : 'wx' });
    } catch (error) {
      const { code = 'unknown' } = error as NodeJS.ErrnoException;
      if (code === 'EEXIST') {
        err.line(`spillway: ${file} exists already and was left as it is. Overwrite it with --force.`);
        return exitCodes.no;
      }
      err.line(`spillway: ${file} cannot be written (${code}).`);
      return exitCodes.cannotRun;
    }
    err.line(`${file} was written. Next: spillway check ${file}, then spillway up ${file}`);
    return exitCodes.ok;
  },
};
