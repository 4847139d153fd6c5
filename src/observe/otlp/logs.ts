/**
 * Log lines to OTLP and back, in protobuf and in JSON.
 *
 * The correlation id is an attribute there, `correlation_id`. What is an object or a list in a line is its JSON in an attribute. What comes out of
 * decoding is within bounds, whatever was sent; what is no OTLP at all throws `OTLP_INVALID`. Cost: O(bytes).
 */
import { packageVersion } from '../../kernel/version.ts';
import { levelNumbers, type LogLevel } from '../log/levels.ts';
import type { LogRecord } from '../log/recent.ts';
import { BoundAttributes, cutText, NAME_LENGTH_MAX, TEXT_LENGTH_MAX } from '../trace/span-bounds.ts';
import type { Attributes, AttributeValue } from '../trace/span-record.ts';
import { fromAnyValue, toKeyValues } from './attribute-messages.ts';
import { logsRequest, type LogsRequest, type OtlpLog } from './log-messages.ts';
import { atOnce, STEP, type Steps } from '../../kernel/steps.ts';

export interface DecodedLogs {
  readonly logs: LogRecord[];
}

/** Of each level; a range of four has one word, and these are their first. */
const severities: Readonly<Record<LogLevel, number>> = { trace: 1, debug: 5, info: 9, warn: 13, error: 17, fatal: 21 };
const words = Object.keys(levelNumbers) as LogLevel[];
const CORRELATION_ID = 'correlation_id';

/** `resource` is said of all of them, beside `service.name`. */
export function encodeLogs(logs: readonly LogRecord[], resource: Attributes = {}): Uint8Array<ArrayBuffer> {
  return logsRequest.encode(requestOf(logs, resource));
}

export function encodeLogsJson(logs: readonly LogRecord[], resource: Attributes = {}): string {
  return JSON.stringify(logsRequest.toJson(requestOf(logs, resource)));
}

/** Of protobuf, or of JSON, which is a text. */
export function decodeLogs(encoded: Uint8Array | string): DecodedLogs {
  return atOnce(decodingLogs(encoded));
}

/** The same, in steps. */
export function* decodingLogs(encoded: Uint8Array | string): Steps<DecodedLogs> {
  return yield* recordsOf(yield* logsRequest.decoding(encoded));
}

function requestOf(logs: readonly LogRecord[], resource: Attributes): LogsRequest {
  const scope = { name: 'spillway', version: packageVersion() };
  return {
    resourceLogs: Array.from(
      Map.groupBy(logs, ({ service }) => service),
      ([service, ofService]) => ({
        resource: { attributes: toKeyValues({ 'service.name': service, ...resource }) },
        scopeLogs: [{ scope, logRecords: ofService.map(toOtlp) }],
      }),
    ),
  };
}

function toOtlp({ timeMs, level, message, traceId, spanId, correlationId, attributes }: LogRecord): OtlpLog {
  const plain = Object.entries(attributes).map(([key, value]) => [key, valueOf(value)] as const);
  const correlated = correlationId === '' ? plain : [...plain, [CORRELATION_ID, correlationId] as const];
  return {
    timeUnixNano: timeMs,
    severityNumber: severities[level],
    severityText: level,
    body: { stringValue: message },
    attributes: toKeyValues(Object.fromEntries(correlated)),
    ...(traceId !== '' && { traceId }),
    ...(spanId !== '' && { spanId }),
    observedTimeUnixNano: timeMs,
  };
}

function valueOf(value: unknown): AttributeValue {
  if (typeof value === 'string' || typeof value === 'boolean' || typeof value === 'number') return value;
  return JSON.stringify(value) ?? '';
}

function* recordsOf(request: LogsRequest): Steps<DecodedLogs> {
  const logs: LogRecord[] = [];
  for (const { resource, scopeLogs = [] } of request.resourceLogs ?? []) {
    const named = resource?.attributes?.find(({ key }) => key === 'service.name');
    const name = cutText(String(fromAnyValue(named?.value)), NAME_LENGTH_MAX);
    const service = name === '' ? 'unknown_service' : name;
    for (const log of scopeLogs.flatMap((scope) => scope.logRecords ?? [])) {
      logs.push(fromOtlp(log, service));
      if (logs.length % STEP === 0) yield;
    }
  }
  return { logs };
}

function fromOtlp(log: OtlpLog, service: string): LogRecord {
  const bound = new BoundAttributes();
  for (const { key = '', value } of log.attributes ?? []) bound.set(key, fromAnyValue(value));
  const { [CORRELATION_ID]: correlationId = '', ...attributes } = bound.values;
  return {
    timeMs: timeOf(log),
    level: levelOf(log.severityNumber ?? 0),
    message: cutText(String(fromAnyValue(log.body)), TEXT_LENGTH_MAX),
    service,
    traceId: idOf(log.traceId, 32),
    spanId: idOf(log.spanId, 16),
    correlationId: cutText(String(correlationId), NAME_LENGTH_MAX),
    attributes,
  };
}

/** When it was; if that is not known, when it was seen. */
function timeOf({ timeUnixNano = 0, observedTimeUnixNano = 0 }: OtlpLog): number {
  return timeUnixNano === 0 ? observedTimeUnixNano : timeUnixNano;
}

/** Of what says nothing, `info`. */
function levelOf(severity: number): LogLevel {
  if (!(severity >= 1)) return 'info';
  return words.findLast((word) => severities[word] <= severity) ?? 'info';
}

function idOf(text = '', digits: number): string {
  return text.length === digits && /^[0-9a-f]+$/.test(text) && !/^0+$/.test(text) ? text : '';
}
