/** Log lines as `protoc` reads them, field by field; and what it wrote is read. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LogRecord } from '../../src/observe/log/recent.ts';
import { decodeLogs, encodeLogs, encodeLogsJson } from '../../src/observe/otlp/logs.ts';
import { protocDecode, protocEncode } from './protoc.ts';

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
const traceBytes = String.raw`K\371/5w\263M\246\243\316\222\235\016\016G6`;
const log: LogRecord = {
  timeMs: 1_800_000_000_000.5,
  level: 'warn',
  message: 'the till is closed',
  service: 'shop',
  traceId,
  spanId: '00f067aa0ba902b7',
  correlationId: 'order-42',
  attributes: { order: 42, paid: false, items: ['a', 'b'], err: { type: 'Error', message: 'no' } },
};

test('each field of a log line is where protoc finds it, and comes back', () => {
  const bytes = encodeLogs([
    log,
    { ...log, service: 'till', level: 'info', traceId: '', spanId: '', correlationId: '', attributes: {} },
  ]);
  const text = protocDecode('LogsRequest', bytes);
  assert.deepEqual(Buffer.from(bytes), protocEncode('LogsRequest', text));
  const flat = text.replaceAll(/\s+/g, ' ');
  const parts = [
    'key: "service.name" value { string_value: "shop" }',
    'log_records { time_unix_nano: 1800000000000500000 severity_number: 13 severity_text: "warn" body { string_value: "the till is closed" }',
    'attributes { key: "order" value { int_value: 42 } } attributes { key: "paid" value { bool_value: false } }',
    String.raw`attributes { key: "items" value { string_value: "[\"a\",\"b\"]" } }`,
    'attributes { key: "correlation_id" value { string_value: "order-42" } }',
    `trace_id: "${traceBytes}" span_id: "`,
    'observed_time_unix_nano: 1800000000000500000',
    'severity_number: 9 severity_text: "info"',
  ];
  for (const part of parts) assert.ok(flat.includes(part), `${part} is not in ${flat}`);
  const read = {
    ...log,
    attributes: { ...log.attributes, items: '["a","b"]', err: '{"type":"Error","message":"no"}' },
  };
  assert.deepEqual(decodeLogs(bytes).logs[0], read);
  assert.deepEqual(decodeLogs(encodeLogsJson([log])).logs[0], read);
  assert.deepEqual(decodeLogs(bytes).logs[1]?.service, 'till');
});

test('log lines of others: any severity, bodies that are no text, no ids, no time', () => {
  const request = protocEncode(
    'LogsRequest',
    `resource_logs { scope_logs {
    log_records { severity_number: 20 body { kvlist_value { values { key: "a" value { int_value: 1 } } } } observed_time_unix_nano: 5000000 trace_id: "short" }
    log_records { severity_number: 4 } log_records { severity_number: 99 } log_records {}
  } }`,
  );
  assert.deepEqual(
    decodeLogs(request).logs.map(({ level, message, timeMs, traceId: id }) => [level, message, timeMs, id]),
    [
      ['error', '{"a":1}', 5, ''],
      ['trace', '', 0, ''],
      ['fatal', '', 0, ''],
      ['info', '', 0, ''],
    ],
  );
});
