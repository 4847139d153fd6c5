/** `GET /api/traces` and `GET /api/traces/{id}`: the recent traces that are kept; `GET /api/exemplars`: those of requests, for charts of latencies. */
import type { TraceQuery } from '../../observe/trace/store.ts';
import { type Exemplar, type ExemplarQuery, exemplarsOf } from '../tracing/exemplars.ts';
import { type ApiAnswer, type ApiRequest, badRequest, json } from './answers.ts';
import type { AdminBackend } from './backend.ts';
import { readStep, readTime } from './series-api.ts';

const LIMIT_MAX = 1000;
const TEXT_MAX = 256;
const names = ['service', 'route', 'status', 'minMs', 'text', 'order', 'limit'];

export function answerTraces({ telemetry }: AdminBackend, { query }: ApiRequest): ApiAnswer {
  const wanted = readQuery(query);
  return typeof wanted === 'string' ? badRequest(wanted) : json(200, telemetry.traces.find(wanted));
}

export function answerTrace({ telemetry }: AdminBackend, { names: [id = ''] }: ApiRequest): ApiAnswer {
  const found = telemetry.traces.trace(id.toLowerCase());
  if (found !== null) return json(200, found);
  const detail = 'There is no trace with this id, or it is no longer kept.';
  return { kind: 'problem', problem: { status: 404, title: 'Not Found', detail } };
}

/** As JSON. Both ends import this. */
export interface ExemplarAnswer {
  readonly exemplars: readonly Exemplar[];
}

export function answerExemplars(backend: AdminBackend, { query }: ApiRequest): ApiAnswer {
  const wanted = readExemplarQuery(query, backend.wallMs());
  if (typeof wanted === 'string') return badRequest(wanted);
  const { metrics, traces } = backend.telemetry;
  // Of services those too whose traces are here: others lead nowhere.
  const pushed = metrics.exemplars.filter(({ traceId }) => traces.has(traceId));
  return json(200, { exemplars: exemplarsOf(traces.spans(), wanted, pushed) } satisfies ExemplarAnswer);
}

const exemplarNames = ['service', 'from', 'to', 'step'];

function readExemplarQuery(query: URLSearchParams, nowMs: number): ExemplarQuery | string {
  const unknown = [...query.keys()].find((name) => !exemplarNames.includes(name));
  if (unknown !== undefined) return `There is no ${JSON.stringify(unknown)}; there are ${exemplarNames.join(', ')}.`;
  const fromMs = readTime(query.get('from') ?? '-5m', nowMs);
  const toMs = readTime(query.get('to') ?? '-0s', nowMs);
  if (fromMs === null || toMs === null) return 'from and to must be wall ms, or before now such as -5m.';
  const stepMs = readStep(query.get('step') ?? '5s');
  if (stepMs === undefined) return 'step must be a duration of at least a second, such as 5s.';
  const service = query.get('service');
  return { ...(service !== null && { service }), fromMs, toMs, stepMs };
}

/** What is asked for, or what is wrong with it. */
function readQuery(query: URLSearchParams): TraceQuery | string {
  const unknown = [...query.keys()].find((name) => !names.includes(name));
  if (unknown !== undefined) return `There is no ${JSON.stringify(unknown)}; there are ${names.join(', ')}.`;
  const given = (name: string): string | undefined => query.get(name) ?? undefined;
  const [status, order, text] = ['status', 'order', 'text'].map(given);
  if (status !== undefined && status !== 'ok' && status !== 'error') return 'status must be ok or error.';
  if (order !== undefined && order !== 'newest' && order !== 'slowest') return 'order must be newest or slowest.';
  if (text !== undefined && text.length > TEXT_MAX) return `text must be at most ${TEXT_MAX} characters.`;
  const minMs = given('minMs') === undefined ? undefined : Number(given('minMs'));
  if (minMs !== undefined && !(minMs >= 0)) return 'minMs must be a number of milliseconds, such as 250.';
  const limit = given('limit') === undefined ? undefined : Number(given('limit'));
  if (limit !== undefined && !(Number.isInteger(limit) && limit >= 1 && limit <= LIMIT_MAX)) {
    return `limit must be from 1 to ${LIMIT_MAX}.`;
  }
  const [service, route] = ['service', 'route'].map(given);
  return {
    ...(service !== undefined && { service }),
    ...(route !== undefined && { route }),
    ...(status !== undefined && { status }),
    ...(order !== undefined && { order }),
    ...(text !== undefined && { text }),
    ...(minMs !== undefined && { minMs }),
    ...(limit !== undefined && { limit }),
  };
}
