/**
 * OTLP over HTTP, as services and collectors push it: `POST /v1/traces`, `/v1/metrics` and `/v1/logs`. In protobuf or JSON, compressed with gzip or not.
 *
 * Whatever is sent costs a bounded time and memory: so many bytes as they come, so many when they are unpacked (a bomb is broken off where it
 * would be more), one after the other, so many a second, what was refused for its size among them, after which 429 says when to come back. What is no OTLP is 400 and nothing of it is kept. What is refused is told as a
 * `Status`.
 * Source: OTLP 1.x, “OTLP/HTTP”.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { SpillwayError } from '../../kernel/errors.ts';
import { exportResponse, status } from '../../observe/otlp/answer-messages.ts';
import { decodeLogs, decodeLogsJson } from '../../observe/otlp/logs.ts';
import { decodeMetrics, decodeMetricsJson } from '../../observe/otlp/metrics.ts';
import { decodeTraces, decodeTracesJson } from '../../observe/otlp/traces.ts';
import { InTurn } from '../control/in-turn.ts';
import type { Telemetry } from '../control/telemetry.ts';
import type { AdminBackend } from './backend.ts';
import { type ApiAnswer, type ApiRequest, badRequest } from './answers.ts';
import type { Problem } from './problem.ts';

/** As it comes. */
export const OTLP_BYTES_MAX = 2 ** 20;
/** Unpacked. Decoding so much takes some 50 ms. */
const UNPACKED_BYTES_MAX = 4 * 2 ** 20;

const unpack = promisify(gunzip);
/** What unpacks is shared with those who read files and look up names, and what is unpacked takes memory. */
const unpacking = new InTurn();
const tooMuch: Problem = {
  status: 429,
  title: 'Too Many Requests',
  detail: 'More telemetry comes than there is time for; this was not kept.',
  headers: { 'Retry-After': '1' },
};
const PROTOBUF = 'application/x-protobuf';
const JSON_TYPE = 'application/json';

/** Takes what was decoded; returns how many items were none. */
type Taker = (telemetry: Telemetry, bytes: Buffer, isJson: boolean) => number;

const takeTraces: Taker = (telemetry, bytes, isJson) => {
  const { spans, rejected } = isJson ? decodeTracesJson(bytes.toString('utf8')) : decodeTraces(bytes);
  telemetry.received(spans);
  return rejected;
};

const takeMetrics: Taker = (telemetry, bytes, isJson) => {
  const { metrics, rejected } = isJson ? decodeMetricsJson(bytes.toString('utf8')) : decodeMetrics(bytes);
  telemetry.metrics.add(metrics);
  return rejected;
};

export function answerOtlpMetrics(backend: AdminBackend, request: ApiRequest): Promise<ApiAnswer> {
  return take(backend, request, 'rejectedDataPoints', takeMetrics);
}

/** A line that has no room is one too large for the ring, and is rejected. */
const takeLogs: Taker = (telemetry, bytes, isJson) => {
  const { logs } = isJson ? decodeLogsJson(bytes.toString('utf8')) : decodeLogs(bytes);
  return logs.filter((log) => !telemetry.logs.add(log)).length;
};

export function answerOtlpLogs(backend: AdminBackend, request: ApiRequest): Promise<ApiAnswer> {
  return take(backend, request, 'rejectedLogRecords', takeLogs);
}

export function answerOtlpTraces(backend: AdminBackend, request: ApiRequest): Promise<ApiAnswer> {
  return take(backend, request, 'rejectedSpans', takeTraces);
}

// WHY four parameters: two callers give what differs, and pass on what they got.
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
  const beganMs = telemetry.clock.nowMs();
  try {
    return accepted(type, rejectedName, taker(telemetry, unpacked, type === JSON_TYPE));
  } catch (error) {
    if (error instanceof SpillwayError && error.code === 'OTLP_INVALID') return badRequest(error.message);
    throw error;
  } finally {
    telemetry.took(telemetry.clock.nowMs() - beganMs);
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
  try {
    return await unpacking.run(async () =>
      telemetry.mayTake(0) ? await unpack(body, { maxOutputLength: UNPACKED_BYTES_MAX }) : tooMuch,
    );
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') {
      telemetry.mayTake(UNPACKED_BYTES_MAX);
      const detail = `Unpacked it may have ${UNPACKED_BYTES_MAX} bytes.`;
      return { status: 413, title: 'Content Too Large', detail };
    }
    return { status: 400, title: 'Bad Request', detail: 'The body is no gzip.' };
  }
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
