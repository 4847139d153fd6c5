/** `GET /api/slo/ledger`: what spent the budgets. `POST /api/slo/notes`: what somebody says of it, or plans. */
import { isCoded } from '../../kernel/errors.ts';
import { factExample } from '../../observe/slo/ledger/read-fact.ts';
import { type ApiAnswer, type ApiRequest, badRequest, json } from './answers.ts';
import type { AdminBackend } from './backend.ts';

export function answerLedger(backend: AdminBackend, { query }: ApiRequest): ApiAnswer {
  return json(200, backend.budgets.view(query.get('slo')));
}

export async function answerNote(backend: AdminBackend, { body }: ApiRequest): Promise<ApiAnswer> {
  let given: unknown;
  try {
    given = JSON.parse(body.toString('utf8'));
  } catch {
    return badRequest(`The body must be JSON such as ${factExample}.`);
  }
  try {
    const entry = await backend.budgets.note(given);
    return typeof entry === 'string' ? badRequest(entry) : json(200, entry);
  } catch (error) {
    if (!isCoded(error, 'LEDGER_FILE')) throw error;
    return { kind: 'problem', problem: { status: 503, title: 'Service Unavailable', detail: error.message } };
  }
}
