/** `GET /api/slo/gate`: whether something may be deployed. `POST /api/slo/pass`: the same, with a pass that is written down if it is needed. */
import { formatGate, type GateVerdict, passAdvice } from '../../observe/slo/gate.ts';
import type { ApiAnswer, ApiRequest } from './answers.ts';
import type { AdminBackend } from './backend.ts';
import { readObject } from './json-body.ts';
import { passExample, passKeys, readPass } from './pass-body.ts';

export function answerGate(backend: AdminBackend, { query }: ApiRequest): ApiAnswer {
  const service = query.get('service');
  return gateAnswer(backend.budgets.gate.verdict(service), service);
}

export async function answerPass(backend: AdminBackend, { query, body }: ApiRequest): Promise<ApiAnswer> {
  const service = query.get('service');
  const given = readObject(body, passKeys, passExample);
  const pass = typeof given === 'string' ? given : readPass(given);
  if (pass === null) return problem(400, 'Bad Request', `The body must be JSON such as ${passExample}.`);
  if (typeof pass === 'string') return problem(400, 'Bad Request', pass);
  return gateAnswer(await backend.budgets.gate.admit(service, pass), service);
}

/** Where it is not known whether a budget is left, and without objectives: no answer that a pipeline takes for yes. */
function gateAnswer(verdict: GateVerdict | null, service: string | null): ApiAnswer {
  if (verdict === null) {
    const whose =
      service === null ? 'This gateway has no objectives' : `There is no objective of ${JSON.stringify(service)}`;
    return problem(
      404,
      'Not Found',
      `${whose} that it evaluates; they are in the files that “slos” of the config names.`,
    );
  }
  if (!verdict.open) {
    const detail = `${formatGate(verdict)} ${passAdvice}`;
    if (verdict.level === 'freeze') return problem(409, 'Budget frozen', detail, { code: 'BUDGET_FROZEN', ...verdict });
    return problem(503, 'Budget not known', detail, { code: 'BUDGET_UNKNOWN', ...verdict });
  }
  return { kind: 'answer', status: 200, contentType: 'application/json', body: `${JSON.stringify(verdict)}\n` };
}

function problem(
  status: number,
  title: string,
  detail: string,
  members: Readonly<Record<string, unknown>> = {},
): ApiAnswer {
  return { kind: 'problem', problem: { status, title, detail, members } };
}
