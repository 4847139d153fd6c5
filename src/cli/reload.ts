/** `spillway reload`: has a running gateway read its config file again, and says what came of it. */
import { adminOptions, adminRefusal, adminTarget, changeByAdmin } from './admin-client.ts';
import type { Command } from './command.ts';
import { exitCodes } from './exit-codes.ts';
import { passOptions, readPass } from './pass.ts';
import { readOutcome } from './reload-outcome.ts';
import { reloadLines } from './up-text.ts';

export const reloadCommand: Command = {
  spec: {
    usage: 'reload [--override WHY] [--admin ADDRESS]',
    description: [
      'Has a running gateway read its config file again, as SIGHUP does, and waits until it is in force on all ' +
        'workers or refused. Needs the token for everything, if there is one.',
      'While an error budget is frozen a change is refused, unless --override or --security-fix says why not.',
      'Exit code 0: it is in force, or nothing had changed; 1: it was refused and nothing has changed.',
    ],
    options: { ...passOptions, ...adminOptions },
    positionalsMax: 0,
    examples: ['spillway reload', 'spillway check && spillway reload --admin unix:/run/spillway/admin.sock'],
  },

  async run(args, { out, err, environment }) {
    const target = adminTarget(args, environment);
    const answer = await changeByAdmin(target, '/api/reload', readPass(args) ?? {});
    const outcome = readOutcome(answer, 'admin');
    if (outcome === null) throw adminRefusal(target, answer);
    const isDone = outcome.kind !== 'refused';
    const output = isDone ? out : err;
    for (const line of reloadLines(outcome, output.paint)) output.prose(line);
    return isDone ? exitCodes.ok : exitCodes.no;
  },
};
