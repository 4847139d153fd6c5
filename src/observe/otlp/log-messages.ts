/**
 * Log lines as OTLP has them: `ExportLogsServiceRequest` and what is in it.
 *
 * Source: opentelemetry-proto 1.x, logs.proto and logs_service.proto, by field numbers; severities by the data model of logs. Times are
 * milliseconds here, nanoseconds on the wire.
 */
import {
  type AnyValue,
  anyValue,
  type KeyValue,
  keyValue,
  type Resource,
  resource,
  scope,
} from './attribute-messages.ts';
import { MessageType } from './message-type.ts';

export interface OtlpLog {
  readonly timeUnixNano?: number;
  readonly severityNumber?: number;
  readonly severityText?: string;
  readonly body?: AnyValue;
  readonly attributes?: readonly KeyValue[];
  readonly droppedAttributesCount?: number;
  readonly flags?: number;
  readonly traceId?: string;
  readonly spanId?: string;
  readonly observedTimeUnixNano?: number;
}

export interface LogsRequest {
  readonly resourceLogs?: readonly {
    readonly resource?: Resource;
    readonly scopeLogs?: readonly { readonly scope?: object; readonly logRecords?: readonly OtlpLog[] }[];
  }[];
}

const logRecord = new MessageType({
  timeUnixNano: [1, 'nanoseconds'],
  severityNumber: [2, 'int32'],
  severityText: [3, 'string'],
  body: [5, () => anyValue],
  attributes: [6, () => keyValue, 'repeated'],
  droppedAttributesCount: [7, 'uint32'],
  flags: [8, 'fixed32'],
  traceId: [9, 'id'],
  spanId: [10, 'id'],
  observedTimeUnixNano: [11, 'nanoseconds'],
});
const scopeLogs = new MessageType({
  scope: [1, () => scope],
  logRecords: [2, () => logRecord, 'repeated'],
  schemaUrl: [3, 'string'],
});
const resourceLogs = new MessageType({
  resource: [1, () => resource],
  scopeLogs: [2, () => scopeLogs, 'repeated'],
  schemaUrl: [3, 'string'],
});
export const logsRequest = new MessageType<LogsRequest>({ resourceLogs: [1, () => resourceLogs, 'repeated'] });
