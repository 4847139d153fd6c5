/** `/api/services/NAME/endpoints`: what a service is told of its endpoints, and what comes of it. */
import { type ErrorCode, SpillwayError } from '../../kernel/errors.ts';
import type { EndpointChange } from '../control/discovery/endpoint-change.ts';
import type { ApiAnswer, ApiRequest } from './answers.ts';
import type { AdminBackend } from './backend.ts';

const statuses: Readonly<Partial<Record<ErrorCode, readonly [number, string]>>> = {
  ENDPOINT_UNKNOWN: [404, 'Not Found'],
  ENDPOINTS_ELSEWHERE: [409, 'Conflict'],
  ENDPOINTS_INVALID: [422, 'Endpoints refused'],
};

export async function answerEndpoints(backend: AdminBackend, request: ApiRequest): Promise<ApiAnswer> {
  const [service = ''] = request.names;
  const change = readChange(request);
  if (change === null) {
    const example = request.method === 'PUT' ? '["10.0.0.7:8080"]' : '{"address": "10.0.0.7:8080", "weight": 2}';
    return refusal(400, 'Bad Request', `The body must be JSON such as ${example}.`, {});
  }
  try {
    const body = { service, endpoints: await backend.changeEndpoints(service, change) };
    return { kind: 'answer', status: 200, contentType: 'application/json', body: `${JSON.stringify(body)}\n` };
  } catch (error) {
    if (!(error instanceof SpillwayError)) throw error;
    const [status, title] = statuses[error.code] ?? [503, 'Service Unavailable'];
    const [detail = '', ...more] = error.message.split('\n');
    return refusal(status, title, detail, { code: error.code, problems: more.length > 0 ? [detail, ...more] : [] });
  }
}

function readChange({ method, names, body }: ApiRequest): EndpointChange | null {
  if (method === 'DELETE') return { kind: 'remove', address: names[1] ?? '' };
  try {
    const given: unknown = JSON.parse(body.toString('utf8'));
    return method === 'PUT' ? { kind: 'replace', endpoints: given } : { kind: 'add', endpoint: given };
  } catch {
    return null;
  }
}

function refusal(status: number, title: string, detail: string, members: Readonly<Record<string, unknown>>): ApiAnswer {
  return { kind: 'problem', problem: { status, title, detail, members } };
}
