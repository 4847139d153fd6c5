/**
 * OTLP over HTTP, as services and collectors push it: `POST /v1/traces`, `/v1/metrics` and `/v1/logs`. In protobuf or JSON, compressed with gzip or not.
 *
 * Whatever is sent costs a bounded time and memory: so many bytes as they come, so many when they are unpacked (a bomb is broken off where it
 * would be more), one after the other, so many a second, what was unpacked to be refused among them, after which 429 says when to come back. It is
 * decoded and kept in turns of some milliseconds; only one list and the text of JSON are read in one, of some 50, a tenth of a second at the worst.
 * What is no OTLP is 400 and nothing of it is kept. What is refused is told as a `Status`.
 * Source: OTLP 1.x, “OTLP/HTTP”.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { createGunzip } from 'node:zlib';
import { SpillwayError } from '../../kernel/errors.ts';
import { exportResponse, status } from '../../observe/otlp/answer-messages.ts';
import { decodingLogs } from '../../observe/otlp/logs.ts';
import type { MetricRecord } from '../../observe/otlp/metric-record.ts';
import { decodingMetrics } from '../../observe/otlp/metrics.ts';
import { STEP, type Steps } from '../../kernel/steps.ts';
import { decodingTraces } from '../../observe/otlp/traces.ts';
import { InTurn } from '../control/in-turn.ts';
import type { Telemetry } from '../control/telemetry.ts';
import type { AdminBackend } from './backend.ts';
import { type ApiAnswer, type ApiRequest, badRequest } from './answers.ts';
import type { Problem } from './problem.ts';

/** As it comes. */
export const OTLP_BYTES_MAX = 2 ** 20;
/** Unpacked. */
const UNPACKED_BYTES_MAX = 4 * 2 ** 20;

/** After so long others have their turn. */
const TURN_MS = 5;

/** One push after the other: what unpacks is shared with those who read files and look up names, and what is unpacked takes memory. */
const taking = new InTurn();
/** So many bytes wait for that, as they came: one connection can send any number of pushes while one is decoded. */
const WAITING_BYTES_MAX = 8 * 2 ** 20;
let waitingBytes = 0;
const tooMuch: Problem = {
  status: 429,
  title: 'Too Many Requests',
  detail: 'More telemetry comes than there is time for; this was not kept.',
  headers: { 'Retry-After': '1' },
};
const PROTOBUF = 'application/x-protobuf';
const JSON_TYPE = 'application/json';

/** Takes what was sent, protobuf or the text of JSON; returns how many items were none. */
type Taker = (telemetry: Telemetry, encoded: Buffer | string) => Steps<number>;

const takeTraces: Taker = function* (telemetry, encoded) {
  const { spans, rejected } = yield* decodingTraces(encoded);
  for (const part of inParts(spans)) yield telemetry.received(part);
  return rejected;
};

const takeMetrics: Taker = function* (telemetry, encoded) {
  const { metrics, rejected } = yield* decodingMetrics(encoded);
  for (const part of pointsInParts(metrics)) yield telemetry.metrics.add(part);
  return rejected;
};

/** A line that has no room is one too large for the ring, and is rejected. */
const takeLogs: Taker = function* (telemetry, encoded) {
  const { logs } = yield* decodingLogs(encoded);
  let rejected = 0;
  for (const part of inParts(logs)) {
    rejected += part.filter((line) => !telemetry.receivedLine(line)).length;
    yield;
  }
  return rejected;
};

function* inParts<Item>(items: readonly Item[]): Generator<readonly Item[]> {
  for (let from = 0; from < items.length; from += STEP) yield items.slice(from, from + STEP);
}

/** As many points in each, whether one metric has them or as many do. */
function* pointsInParts(metrics: readonly MetricRecord[]): Generator<readonly MetricRecord[]> {
  let part: MetricRecord[] = [];
  let room = STEP;
  for (const metric of metrics) {
    for (let from = 0; from < metric.points.length;) {
      const points = metric.points.slice(from, from + room);
      part.push({ ...metric, points });
      from += points.length;
      room -= points.length;
      if (room > 0) continue;
      yield part;
      part = [];
      room = STEP;
    }
  }
  yield part;
}

export function answerOtlpMetrics(backend: AdminBackend, request: ApiRequest): Promise<ApiAnswer> {
  return inTurn(request, () => take(backend, request, 'rejectedDataPoints', takeMetrics));
}

export function answerOtlpLogs(backend: AdminBackend, request: ApiRequest): Promise<ApiAnswer> {
  return inTurn(request, () => take(backend, request, 'rejectedLogRecords', takeLogs));
}

export function answerOtlpTraces(backend: AdminBackend, request: ApiRequest): Promise<ApiAnswer> {
  return inTurn(request, () => take(backend, request, 'rejectedSpans', takeTraces));
}

async function inTurn({ body }: ApiRequest, answer: () => Promise<ApiAnswer>): Promise<ApiAnswer> {
  if (waitingBytes + body.length > WAITING_BYTES_MAX) return problem(tooMuch);
  waitingBytes += body.length;
  try {
    return await taking.run(answer);
  } finally {
    waitingBytes -= body.length;
  }
}

// WHY four parameters: three callers give what differs, and pass on what they got.
async function take(
  { telemetry }: AdminBackend,
  { body, headers }: ApiRequest,
  rejectedName: string,
  taker: Taker,
): Promise<ApiAnswer> {
  const type = typeOf(headers);
  if (type !== PROTOBUF && type !== JSON_TYPE) {
    return problem({ status: 415, title: 'Unsupported Media Type', detail: `Send ${PROTOBUF} or ${JSON_TYPE}.` });
  }
  const unpacked = await unpacks(telemetry, body, (headers['content-encoding'] ?? 'identity').trim().toLowerCase());
  if ('status' in unpacked) return problem(unpacked);
  if (!telemetry.mayTake(unpacked.length)) return problem(tooMuch);
  const { clock } = telemetry;
  let workedMs = 0;
  let beganMs = clock.nowMs();
  const steps = taker(telemetry, type === JSON_TYPE ? unpacked.toString('utf8') : unpacked);
  try {
    for (;;) {
      const step = steps.next();
      if (step.done === true) return accepted(type, rejectedName, step.value);
      const turnMs = clock.nowMs() - beganMs;
      if (turnMs < TURN_MS) continue;
      workedMs += turnMs;
      await new Promise((resolve) => setImmediate(resolve));
      beganMs = clock.nowMs();
    }
  } catch (error) {
    if (error instanceof SpillwayError && error.code === 'OTLP_INVALID') return badRequest(error.message);
    throw error;
  } finally {
    telemetry.took(workedMs + clock.nowMs() - beganMs);
  }
}

function typeOf(headers: IncomingHttpHeaders): string {
  return (headers['content-type'] ?? '').split(';', 1)[0]!.trim().toLowerCase();
}

async function unpacks(telemetry: Telemetry, body: Buffer, encoding: string): Promise<Buffer | Problem> {
  if (encoding === 'identity') return body;
  if (encoding !== 'gzip') {
    return {
      status: 415,
      title: 'Unsupported Media Type',
      detail: 'Only gzip is unpacked.',
      headers: { 'Accept-Encoding': 'gzip' },
    };
  }
  if (!telemetry.mayTake(0)) return tooMuch;
  const chunks: Buffer[] = [];
  let bytes = 0;
  try {
    for await (const chunk of createGunzip().end(body) as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes > UNPACKED_BYTES_MAX) break;
    }
    if (bytes <= UNPACKED_BYTES_MAX) return Buffer.concat(chunks);
  } catch {
    telemetry.mayTake(bytes);
    return { status: 400, title: 'Bad Request', detail: 'The body is no gzip.' };
  }
  telemetry.mayTake(bytes);
  return { status: 413, title: 'Content Too Large', detail: `Unpacked it may have ${UNPACKED_BYTES_MAX} bytes.` };
}

/**
 * What is refused at these paths, by whomever, is told as OTLP tells it: as a `Status`, in the request's encoding. Whoever sent neither, such as
 * somebody who tries the address by hand, is told as everywhere else.
 */
export function otlpRefusal(refused: Problem, asked: IncomingHttpHeaders): ApiAnswer {
  const type = typeOf(asked);
  if (type !== PROTOBUF && type !== JSON_TYPE) return problem(refused);
  const told = { message: refused.detail };
  const body = type === JSON_TYPE ? JSON.stringify(told) : Buffer.from(status.encode(told));
  return { kind: 'answer', status: refused.status, contentType: type, body, headers: refused.headers ?? {} };
}

function accepted(type: string, rejectedName: string, rejected: number): ApiAnswer {
  const errorMessage = 'Some had no usable ids or values.';
  if (type === JSON_TYPE) {
    const body = rejected === 0 ? {} : { partialSuccess: { [rejectedName]: String(rejected), errorMessage } };
    return { kind: 'answer', status: 200, contentType: JSON_TYPE, body: JSON.stringify(body) };
  }
  const body = exportResponse.encode(rejected === 0 ? {} : { partialSuccess: { rejected, errorMessage } });
  return { kind: 'answer', status: 200, contentType: PROTOBUF, body: Buffer.from(body) };
}

function problem(value: Problem): ApiAnswer {
  return { kind: 'problem', problem: value };
}
