/** Answers that several paths of the admin API give. */
import type { ApiAnswer } from './api.ts';

export function json(status: number, value: unknown): ApiAnswer {
  return { kind: 'answer', status, contentType: 'application/json', body: `${JSON.stringify(value)}\n` };
}

export function badRequest(detail: string): ApiAnswer {
  return { kind: 'problem', problem: { status: 400, title: 'Bad Request', detail } };
}
