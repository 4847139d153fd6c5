/**
 * The admin API's paths: what each answers. No sockets here; `server.ts` reads the request and writes the answer.
 */
import { randomBytes } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { pageOf } from '../../observe/exposition.ts';
import { chooseFormat, contentTypes } from '../../observe/prometheus.ts';
import type { ReloadOutcome } from '../control/events.ts';
import type { TrialOutcome } from '../control/trials.ts';
import type { DrainOutcome, EndpointName } from '../control/drains.ts';
import { InTurn } from '../control/in-turn.ts';
import { routeExemplars } from '../tracing/route-exemplars.ts';
import { type ApiAnswer, type ApiRequest, badRequest, json } from './answers.ts';
import { readApplyRequest } from './apply-body.ts';
import type { AdminBackend } from './backend.ts';
import { readDrainRequest, readEndpointName } from './drain-body.ts';
import { answerEndpoints } from './endpoints-api.ts';
import { answerGate, answerPass } from './gate-api.ts';
import { answerLedger, answerNote } from './ledger-api.ts';
import { readObject } from './json-body.ts';
import { passExample, passKeys, readPass } from './pass-body.ts';
import { readExplainRequest } from './explain-body.ts';
import type { AdminAccess } from './guard.ts';
import { answerSteps, answerText, unwatched } from './live-answers.ts';
import type { Answered, KnownAnswer } from './live-watches.ts';
import { answerLogs } from './logs-api.ts';
import { answerOtlpLogs, answerOtlpMetrics, answerOtlpTraces, OTLP_BYTES_MAX, otlpRefusal } from './otlp-api.ts';
import type { Problem } from './problem.ts';
import { answerSeries } from './series-api.ts';
import { answerSlos } from './slo-api.ts';
import { answerExemplars, answerTrace, answerTraces } from './traces-api.ts';
import { readWatches } from './watch-body.ts';

interface ApiPath extends AdminAccess {
  /** @defaultValue 64 kB */
  readonly bodyBytesMax?: number;
  readonly answer: (backend: AdminBackend, request: ApiRequest) => ApiAnswer | Promise<ApiAnswer>;
  /**
   * How it says no.
   * @defaultValue as a problem
   */
  readonly refuse?: (problem: Problem, asked: IncomingHttpHeaders) => ApiAnswer;
}

/** 10,000 endpoints with all options. */
const ENDPOINTS_BYTES_MAX = 2 ** 21;

const get = ['GET', 'HEAD'];
const post = ['POST'];
const otlp = { methods: post, role: 'push', bodyBytesMax: OTLP_BYTES_MAX, refuse: otlpRefusal } as const;

export const apiPaths: Readonly<Record<string, ApiPath>> = {
  '/': { methods: get, role: null, answer: ({ assets }, { headers }) => assets.answer('index.html', headers) },
  '/assets/{file}': {
    methods: get,
    role: null,
    answer: ({ assets }, { headers, names: [name = ''] }) => assets.answer(name, headers),
  },
  '/livez': { methods: get, role: null, answer: (backend) => word(backend.notAlive(), 'alive') },
  '/readyz': { methods: get, role: null, answer: (backend) => word(backend.notReady(), 'ready') },
  '/metrics': { methods: get, role: 'metrics', answer: answerMetrics },
  '/api/state': { methods: get, role: 'read', answer: (backend) => json(200, backend.state()) },
  '/api/token': { methods: get, role: 'read', answer: answerToken },
  '/api/live': { methods: ['GET'], role: 'read', answer: answerLive },
  '/api/live/{stream}': { methods: ['PUT'], role: 'read', answer: answerWatches },
  '/api/series': { methods: get, role: 'read', answer: answerSeries },
  '/api/slo': { methods: get, role: 'read', answer: answerSlos },
  '/api/changes': { methods: get, role: 'read', answer: answerChanges },
  '/api/config/{version}': { methods: get, role: 'read', answer: answerConfig },
  '/api/traces': { methods: get, role: 'read', answer: answerTraces },
  '/api/traces/{id}': { methods: get, role: 'read', answer: answerTrace },
  '/api/exemplars': { methods: get, role: 'read', answer: answerExemplars },
  '/api/logs': { methods: get, role: 'read', answer: answerLogs },
  '/api/received': {
    methods: get,
    role: 'read',
    answer: ({ telemetry }, { query }) => json(200, telemetry.metrics.find(query.get('prefix') ?? '')),
  },
  '/v1/logs': { ...otlp, answer: answerOtlpLogs },
  '/v1/metrics': { ...otlp, answer: answerOtlpMetrics },
  '/v1/traces': { ...otlp, answer: answerOtlpTraces },
  '/api/endpoints/{endpoint}': { methods: get, role: 'read', answer: answerEndpoint },
  '/api/explain': { methods: post, role: 'read', answer: answerExplain },
  '/api/reload': { methods: post, role: 'write', answer: answerReload },
  '/api/apply': { methods: post, role: 'write', answer: answerApply },
  '/api/slo/gate': { methods: get, role: 'read', answer: answerGate },
  '/api/slo/ledger': { methods: get, role: 'read', answer: answerLedger },
  '/api/slo/notes': { methods: post, role: 'write', answer: answerNote },
  '/api/slo/pass': { methods: post, role: 'write', answer: answerPass },
  '/api/rollback': { methods: post, role: 'write', answer: answerRollback },
  '/api/drain': {
    methods: post,
    role: 'write',
    answer: (backend, { body }) => answerDrain(readDrainRequest(body), (request) => backend.drain(request)),
  },
  '/api/undrain': {
    methods: post,
    role: 'write',
    answer: (backend, { body }) => answerDrain(readEndpointName(body), (name) => backend.undrain(name)),
  },
  '/api/services/{service}/endpoints': {
    methods: ['PUT', 'POST'],
    role: 'write',
    bodyBytesMax: ENDPOINTS_BYTES_MAX,
    answer: answerEndpoints,
  },
  '/api/services/{service}/endpoints/{endpoint}': { methods: ['DELETE'], role: 'write', answer: answerEndpoints },
};

/** The entry for a path, and what stands where it has names in braces; null if there is none. */
export function findApiPath(path: string): { readonly found: ApiPath; readonly names: readonly string[] } | null {
  if (Object.hasOwn(apiPaths, path)) return path.includes('{') ? null : { found: apiPaths[path]!, names: [] };
  const segments = path.split('/');
  for (const [pattern, found] of Object.entries(apiPaths)) {
    const wanted = pattern.split('/');
    const isNamed = (index: number): boolean => wanted[index]!.startsWith('{');
    if (wanted.length !== segments.length || !pattern.includes('{')) continue;
    if (!segments.every((segment, index) => (isNamed(index) ? segment !== '' : segment === wanted[index]))) continue;
    try {
      return { found, names: segments.filter((_, index) => isNamed(index)).map(decodeURIComponent) };
    } catch {
      return null; // an escape that is none
    }
  }
  return null;
}

function word(problem: string | null, good: string): ApiAnswer {
  const [status, text] = problem === null ? [200, good] : [503, problem];
  return { kind: 'answer', status, contentType: 'text/plain; charset=utf-8', body: `${text}\n` };
}

function answerEndpoint(backend: AdminBackend, { names: [address = ''] }: ApiRequest): ApiAnswer {
  return json(200, { endpoints: backend.endpointStates(address) });
}

/** Not the token: where whoever may read it finds it. */
async function answerToken(backend: AdminBackend): Promise<ApiAnswer> {
  await backend.renewToken();
  return json(200, { madeToken: backend.madeToken() });
}

async function answerMetrics(backend: AdminBackend, { headers }: ApiRequest): Promise<ApiAnswer> {
  const format = chooseFormat(headers.accept);
  const exemplars = routeExemplars(format === 'prometheus' ? [] : backend.telemetry.traces.spans());
  const body = pageOf(await backend.metrics(exemplars), format);
  return { kind: 'answer', status: 200, contentType: contentTypes[format], body };
}

function answerLive({ live }: AdminBackend): ApiAnswer {
  if (!live.isFull) {
    // Whoever knows it may say what is told there.
    const stream = randomBytes(16).toString('hex');
    const headers = { 'Spillway-Stream': stream };
    return { kind: 'stream', contentType: 'text/event-stream', headers, begin: (client) => live.add(client, stream) };
  }
  const detail = `${live.clients} clients look already; close one, or try again later.`;
  return {
    kind: 'problem',
    problem: { status: 503, title: 'Too many look', detail, headers: { 'Retry-After': '10' } },
  };
}

/** What the feed tells beside the state, from now on. */
function answerWatches(backend: AdminBackend, { names: [stream = ''], body }: ApiRequest): ApiAnswer {
  const wanted = readWatches(body);
  if (typeof wanted === 'string') return badRequest(wanted);
  if (backend.live.watch(stream, wanted, (path, known) => answerWatched(backend, path, known)))
    return json(200, { watches: wanted.length });
  const detail = 'There is no such stream of /api/live, or it has ended.';
  return { kind: 'problem', problem: { status: 404, title: 'Not Found', detail } };
}

/** Of what all pages watch, one answer is begun in a turn of the event loop: what they ask for together must not hold up others for seconds. */
const watching = new InTurn();

/** What `GET` gives to whoever may look. */
async function answerWatched(backend: AdminBackend, path: string, known: KnownAnswer): Promise<Answered> {
  const [name = '', ...rest] = path.split('?');
  const query = new URLSearchParams(rest.join('?'));
  if (name === '/api/series') return answerSteps(backend, query, known);
  const { found, names = [] } = findApiPath(name) ?? {};
  if (found?.role !== 'read' || !found.methods.includes('GET')) return unwatched(404, `${name} cannot be watched.`);
  await watching.run(() => new Promise((resolve) => setImmediate(resolve)));
  const asked = { method: 'GET', names, query, body: Buffer.alloc(0), headers: {} };
  return answerText(await found.answer(backend, asked), known);
}

const CHANGES_MAX = 1000;

function answerChanges(backend: AdminBackend, { query }: ApiRequest): ApiAnswer {
  const after = Number(query.get('after') ?? 0);
  const limit = Number(query.get('limit') ?? CHANGES_MAX);
  if (!Number.isSafeInteger(after) || after < 0) return badRequest('after must be the id of a change, such as 17.');
  if (!Number.isSafeInteger(limit) || limit < 1 || limit > CHANGES_MAX) {
    return badRequest(`limit must be from 1 to ${CHANGES_MAX}.`);
  }
  return json(200, { changes: backend.changes({ after, limit }) });
}

function answerConfig(backend: AdminBackend, { names: [wanted = ''] }: ApiRequest): ApiAnswer {
  const version = /^\d{1,15}$/.test(wanted) ? Number(wanted) : null;
  const text = version === null ? null : backend.configText(version);
  if (text !== null) return json(200, { version, text });
  const detail = 'No such version of the config is kept; those that are stand in “history” of /api/state.';
  return { kind: 'problem', problem: { status: 404, title: 'Not Found', detail } };
}

async function answerExplain(backend: AdminBackend, { body }: ApiRequest): Promise<ApiAnswer> {
  let description: unknown;
  try {
    description = JSON.parse(body.toString('utf8'));
  } catch {
    const example = '{"method": "GET", "url": "https://shop.example/api/x", "headers": {"X-A": "b"}}';
    return badRequest(`The body must be JSON such as ${example}.`);
  }
  try {
    return json(200, await backend.explain(readExplainRequest(description)));
  } catch (error) {
    if (error instanceof TypeError || error instanceof RangeError) return badRequest(error.message);
    throw error;
  }
}

async function answerReload(backend: AdminBackend, { body }: ApiRequest): Promise<ApiAnswer> {
  const given = body.length === 0 ? {} : readObject(body, passKeys, passExample);
  const pass = typeof given === 'string' ? given : readPass(given);
  return typeof pass === 'string' ? badRequest(pass) : outcomeAnswer(await backend.reload(pass));
}

async function answerApply(backend: AdminBackend, { body }: ApiRequest): Promise<ApiAnswer> {
  const request = readApplyRequest(body);
  if (typeof request === 'string') return badRequest(request);
  const outcome = await backend.apply(request.file, request.trial, request.pass);
  if (outcome.kind === 'begun') return json(202, outcome);
  return outcome.kind === 'refused' || 'cause' in outcome ? outcomeAnswer(outcome) : json(200, outcome);
}

function answerDrain<Request extends EndpointName>(
  request: Request | string,
  run: (request: Request) => DrainOutcome,
): ApiAnswer {
  if (typeof request === 'string') return badRequest(request);
  const outcome = run(request);
  switch (outcome.kind) {
    case 'done':
      return json(200, { endpoints: outcome.endpoints });
    case 'unknown':
      return badRequest(outcome.reason);
    case 'refused':
      return { kind: 'problem', problem: { status: 409, title: 'Conflict', detail: outcome.reason } };
    default:
      return outcome satisfies never;
  }
}

const VERSION_EXAMPLE = '{"version": 3}';

async function answerRollback(backend: AdminBackend, { body }: ApiRequest): Promise<ApiAnswer> {
  const version = body.length === 0 ? null : readVersion(body);
  if (version !== undefined) return outcomeAnswer(await backend.rollback(version));
  return badRequest(`The body must be empty, or JSON such as ${VERSION_EXAMPLE}.`);
}

/** Null if none is named, undefined if it cannot be understood. */
function readVersion(body: Buffer): number | null | undefined {
  const given = readObject(body, ['version'], VERSION_EXAMPLE);
  if (typeof given === 'string') return undefined;
  const { version = null } = given;
  return version === null || Number.isSafeInteger(version) ? (version as number | null) : undefined;
}

function outcomeAnswer(outcome: ReloadOutcome | Extract<TrialOutcome, { kind: 'refused' }>): ApiAnswer {
  if (outcome.kind !== 'refused') return json(200, outcome);
  const { reason, problems, code } = outcome;
  const members = {
    ...(code === undefined ? {} : { code }),
    problems,
    ...('version' in outcome ? { version: outcome.version } : {}),
  };
  const [status, title] = code === undefined ? [422, 'Config refused'] : [409, 'Budget frozen'];
  return { kind: 'problem', problem: { status, title, detail: reason, members } };
}

/** For an answer to a path that there is not. */
export const apiPathNames = Object.keys(apiPaths).join(', ');
