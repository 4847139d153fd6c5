/** `spillway history`: the configs that were in force in a running gateway, newest first. */
import type { ConfigVersionState, GatewayState } from '../gateway/index.ts';
import { adminOptions, adminRefusal, adminTarget, askAdmin, type AdminTarget } from './admin-client.ts';
import type { Command } from './command.ts';
import { exitCodes } from './exit-codes.ts';
import { type Paint, printable } from './terminal.ts';

export const historyCommand: Command = {
  spec: {
    usage: 'history [--admin ADDRESS] [--json]',
    description: [
      'Lists the configs that were in force since the gateway was started (the last 20), the newest first: ' +
        'number, time, fingerprint, where it came from and what it changed. "spillway rollback NUMBER" puts one ' +
        'back. Gateways with the same fingerprint say the same, whatever machine they run on; secrets are left ' +
        'out of it.',
    ],
    options: { ...adminOptions, json: { type: 'boolean', summary: 'Print the list as JSON.' } },
    positionalsMax: 0,
    examples: ['spillway history', 'spillway history --admin unix:/run/spillway/admin.sock'],
  },

  async run(args, { out, environment }) {
    const { history, pendingRestart } = await askState(adminTarget(args, environment));
    if (args.flag('json')) out.line(JSON.stringify(history, null, 2));
    else for (const line of historyLines(history, pendingRestart, out.paint)) out.prose(line);
    return exitCodes.ok;
  },
};

async function askState(target: AdminTarget): Promise<Pick<GatewayState, 'history' | 'pendingRestart'>> {
  const answer = await askAdmin(target, '/api/state');
  const state = (answer.body ?? {}) as Partial<GatewayState>;
  if (answer.status !== 200 || !Array.isArray(state.history)) throw adminRefusal(target, answer);
  return { history: state.history, pendingRestart: state.pendingRestart ?? [] };
}

function historyLines(history: readonly ConfigVersionState[], pending: readonly string[], paint: Paint): string[] {
  return history.flatMap(({ version, appliedAt, fingerprint, cause, restored, changes }, index) => {
    const origin = restored === null ? printable(cause) : `config ${restored} again`;
    const head = `${String(version).padStart(4)}  ${printable(appliedAt)}  ${printable(fingerprint)}  ${origin}`;
    return [
      index === 0 ? `${head}  ${paint('good', 'in use')}` : head,
      ...changes.map((change) => `        ${printable(change)}`),
      ...(index === 0 ? pending.map((line) => paint('warn', `        not in effect yet: ${printable(line)}`)) : []),
    ];
  });
}
