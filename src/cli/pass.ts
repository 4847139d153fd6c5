/** What a change claims for itself on the command line, to get past a budget that is frozen. */
import { hostname, userInfo } from 'node:os';
import { textProblem } from '../observe/slo/ledger/read-fact.ts';
import { type Arguments, type OptionSpec, UsageError } from './command.ts';

export const passOptions = {
  override: {
    type: 'string',
    value: 'WHY',
    summary: 'Let it through although a budget is frozen. The reason is audited, and goes into the ledger.',
  },
  'security-fix': {
    type: 'string',
    value: 'ID',
    summary: 'It mends a vulnerability, such as CVE-2026-1234, and always passes; audited too.',
  },
} as const satisfies Record<string, OptionSpec>;

interface PassBody {
  readonly override?: string;
  readonly securityFix?: string;
  readonly by: string;
}

/** As the admin API takes it; null if nothing is claimed. */
export function readPass(args: Arguments): PassBody | null {
  const [override, securityFix] = [args.text('override'), args.text('security-fix')];
  if (override !== null && securityFix !== null) throw new UsageError('either --override or --security-fix');
  const problem = textProblem('the reason', override ?? securityFix ?? 'none');
  if (problem !== null) throw new UsageError(problem);
  if (override !== null) return { override, by: whoami() };
  return securityFix === null ? null : { securityFix, by: whoami() };
}

/** As this machine knows the person; whoever has the token may say anything here. */
function whoami(): string {
  try {
    return `${userInfo().username}@${hostname()}`;
  } catch {
    return hostname(); // a user that the machine has no name for
  }
}
