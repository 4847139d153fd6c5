/** `spillway rollback`: puts a config that was in force back in force, on all workers or on none. */
import { adminOptions, adminRefusal, adminTarget, changeByAdmin } from './admin-client.ts';
import { type Command, UsageError } from './command.ts';
import { exitCodes } from './exit-codes.ts';
import { readOutcome } from './reload-outcome.ts';
import { reloadLines } from './up-text.ts';

export const rollbackCommand: Command = {
  spec: {
    usage: 'rollback [NUMBER] [--admin ADDRESS]',
    description: [
      'Puts a config of "spillway history" back in force, or without a number the one before the one in use: as ' +
        'it was, certificates included, on all workers or on none. Who may call the admin API stays as it is. The ' +
        'file is not changed: its next change, or SIGHUP, applies it again. Needs the token for everything, if ' +
        'there is one.',
      'Exit code 0: it is in force; 1: it was refused and nothing has changed.',
    ],
    options: adminOptions,
    positionalsMax: 1,
    examples: ['spillway rollback', 'spillway rollback 3'],
  },

  async run(args, { out, err, environment }) {
    const [number] = args.positionals;
    if (number !== undefined && !/^\d{1,15}$/.test(number)) {
      throw new UsageError(`${JSON.stringify(number)} is no number of "spillway history"`);
    }
    const target = adminTarget(args, environment);
    const answer = await changeByAdmin(
      target,
      '/api/rollback',
      number === undefined ? {} : { version: Number(number) },
    );
    const outcome = readOutcome(answer, 'rollback');
    if (outcome === null) throw adminRefusal(target, answer);
    // A reload that was asked for later took its place.
    const isDone = outcome.kind !== 'refused' && outcome.cause === 'rollback';
    const output = isDone ? out : err;
    for (const line of reloadLines(outcome, output.paint)) output.prose(line);
    return isDone ? exitCodes.ok : exitCodes.no;
  },
};
