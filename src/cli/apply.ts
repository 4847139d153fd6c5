/** `spillway apply`: puts another config in force, on all connections or on trial on a share of them first. */
import { resolve } from 'node:path';
import type { CanaryState, GatewayState } from '../gateway/index.ts';
import { adminOptions, adminRefusal, adminTarget, askAdmin, changeByAdmin, type AdminTarget } from './admin-client.ts';
import { type Command, type CommandIo, UsageError } from './command.ts';
import { type ExitCode, exitCodes } from './exit-codes.ts';
import { pause } from './pause.ts';
import { passOptions, readPass } from './pass.ts';
import { readOutcome } from './reload-outcome.ts';
import { canaryLines, reloadLines } from './up-text.ts';

/** Between two looks at a trial, and between two lines about it. */
const LOOK_MS = 500;
const LINE_MS = 10_000;

export const applyCommand: Command = {
  spec: {
    usage: 'apply FILE [--canary SHARE --watch TIME] [--override WHY] [--admin ADDRESS]',
    description: [
      'Puts another config file in force in a running gateway, which reads it from then on. With --canary it is ' +
        'on trial first: that share of the connections runs by its routes and services, errors and times are ' +
        'compared with those of the others, and after --watch it is promoted, or taken back as soon as it is ' +
        'worse, with the numbers that decided it. FILE is a path on the machine of the gateway, in the folder of the ' +
        'config it was started with or below. Needs the token for everything, if there is one.',
      'While an error budget is frozen it is refused, unless --override or --security-fix says why not.',
      'Exit code 0: it is in force, or was already; 1: it was refused or taken back.',
    ],
    options: {
      canary: { type: 'string', value: 'SHARE', summary: 'Share of the connections to try it on, such as 10%.' },
      watch: { type: 'string', value: 'TIME', summary: 'How long to watch it, such as 60s.' },
      ...passOptions,
      ...adminOptions,
    },
    positionalsMax: 1,
    examples: ['spillway apply next.yaml', 'spillway apply next.yaml --canary 10% --watch 60s'],
  },

  async run(args, io) {
    const [file] = args.positionals;
    if (file === undefined) throw new UsageError('which file is to be applied?');
    const [canary, watch] = [args.text('canary'), args.text('watch')];
    if ((canary === null) !== (watch === null)) throw new UsageError('--canary and --watch go together');
    const target = adminTarget(args, io.environment);
    const trial = canary === null ? {} : { canary, watch };
    const answer = await changeByAdmin(target, '/api/apply', { file: resolve(file), ...trial, ...readPass(args) });
    const begun = answer.status === 202 ? (answer.body as { readonly trial?: CanaryState }).trial : undefined;
    if (begun !== undefined) return await watchTrial(target, begun, io);
    const outcome = readOutcome(answer, 'admin');
    if (outcome === null) throw adminRefusal(target, answer);
    const output = outcome.kind === 'refused' ? io.err : io.out;
    for (const line of reloadLines(outcome, output.paint)) output.prose(line);
    return outcome.kind === 'refused' ? exitCodes.no : exitCodes.ok;
  },
};

async function watchTrial(target: AdminTarget, begun: CanaryState, { out, err, clock }: CommandIo): Promise<ExitCode> {
  for (const line of canaryLines(begun, out.paint)) out.prose(line);
  let saidMs = clock.nowMs();
  for (;;) {
    await pause(clock, LOOK_MS);
    const { status, body } = await askAdmin(target, '/api/state');
    const trial = (body as Partial<GatewayState> | null)?.canary ?? null;
    if (trial === null) throw adminRefusal(target, { status, body });
    if (trial.phase !== 'watching' || trial.until !== begun.until) {
      const isPromoted = trial.phase === 'promoted' && trial.until === begun.until;
      const output = isPromoted ? out : err;
      for (const line of canaryLines(trial, output.paint)) output.prose(line);
      return isPromoted ? exitCodes.ok : exitCodes.no;
    }
    if (clock.nowMs() - saidMs < LINE_MS) continue;
    saidMs = clock.nowMs();
    out.prose(`  it: ${trial.canary}; the others: ${trial.others}`);
  }
}
