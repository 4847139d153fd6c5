/**
 * The line of a request whose trace is kept, beside those of its services: what somebody who reads a trace's log lines would miss. The access
 * log has a line of every request, with more in it, and goes elsewhere.
 */
import type { LogRecord } from '../../observe/log/recent.ts';
import type { SpanRecord } from '../../observe/trace/span-record.ts';

export function lineOf(span: SpanRecord): LogRecord {
  const { attributes, durationMs, name, service, spanId, startMs, status, statusMessage, traceId } = span;
  const code = attributes['http.response.status_code'];
  const [method = ''] = name.split(' ', 1);
  const path = attributes['url.path'] ?? '';
  const outcome = code ?? (attributes['spillway.aborted'] === true ? 'the client left first' : 'no answer');
  const why = statusMessage === '' ? '' : `, ${statusMessage}`;
  const { 'http.route': route = '', 'spillway.refusal': refusal = '', 'client.address': client = '' } = attributes;
  return {
    timeMs: startMs + durationMs,
    level: status === 'error' ? 'error' : refusal === '' ? 'info' : 'warn',
    message: `${method} ${String(path)} ${String(outcome)} in ${durationMs.toFixed(1)} ms${why}`,
    service,
    traceId,
    spanId,
    correlationId: '',
    attributes: { route, client, ...(refusal === '' ? {} : { refusal }) },
  };
}
