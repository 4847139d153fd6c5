/**
 * A request through the gateway as spans: one for the request, with what was decided as events, and one for each attempt, which is the parent
 * of whatever its endpoint tells. Made for what is kept alone, so clarity goes before cost: some 10 µs.
 *
 * Names of attributes are OpenTelemetry's where it has one, `spillway.…` else.
 */
import type { SpanEvent, SpanRecord } from '../../observe/trace/span-record.ts';
import { ENDED_ABORTED, ENDED_BROKEN, type Exchange } from '../l7/exchange.ts';
import { refusals } from '../slots.ts';
import { type AttemptRecord, emptyRecord, fillRecord } from './attempt-log.ts';
import { saying, type SpanMoment, spanOf, textOf, wallOf } from './server-span.ts';

const SP = 32;
const QUESTION = 63;
const STATE_MAX = 512;

const last = emptyRecord();

export function exchangeSpans(exchange: Exchange, moment: SpanMoment): SpanRecord[] {
  const { attempt, attemptLog, client, refusal, status } = exchange;
  const { forwarding } = client;
  const retained = exchange.retained!;
  const traceId = textOf(retained, forwarding.traceIdStart, forwarding.traceIdStart + 32);
  const state = forwarding.trace.hasParent ? traceState(retained, forwarding.start) : '';
  const attempts = [...(attemptLog?.records.slice(0, attemptLog.count) ?? [])];
  // Who ends between two attempts, or finds nobody for another, has the last one in its log.
  if (attempt.endpoint !== null && !attempts.some(({ number }) => number === attempt.number)) {
    const outcome = refusal >= 0 ? refusals[refusal]!.word : exchange.ending === ENDED_ABORTED ? 'aborted' : status;
    attempts.push(fillRecord(last, attempt, outcome, moment.nowMs));
  }
  const shared = { traceId, state };
  return [
    requestSpan(exchange, moment, shared, attempts),
    ...attempts.map((record) => attemptSpan(exchange, moment, shared, record)),
  ];
}

interface Shared {
  readonly traceId: string;
  readonly state: string;
}

// WHY four parameters: two callers in one place.
function requestSpan(
  exchange: Exchange,
  moment: SpanMoment,
  shared: Shared,
  attempts: readonly AttemptRecord[],
): SpanRecord {
  const { client, refusal, route, service, startMs, status } = exchange;
  const { forwarding, listener, security } = client;
  const { method, path } = targetOf(exchange);
  const word = refusal < 0 ? '' : refusals[refusal]!.word;
  const broken = exchange.ending === ENDED_BROKEN ? 'the answer began and could not be finished' : null;
  return spanOf({
    ...shared,
    spanId: forwarding.trace.spanId(),
    parentId: forwarding.trace.parentId,
    name: `${method} ${route.plan.name}`,
    kind: 'server',
    startMs: wallOf(moment, startMs),
    durationMs: moment.nowMs - startMs,
    problem: word !== '' && status >= 500 ? word : status >= 500 ? `answered ${status}` : broken,
    attributes: saying({
      'http.request.method': method,
      'url.path': path,
      'url.scheme': security.version === '' ? 'http' : 'https',
      'server.address': hostOf(forwarding.block?.host ?? null),
      'client.address': textOf(forwarding.clientText, 0, forwarding.clientLength),
      'http.response.status_code': status === 0 ? null : status,
      'http.route': route.plan.name,
      'spillway.listener': listener.plan.id,
      'spillway.service': service.plan.name,
      'spillway.arm': exchange.arm.name,
      'spillway.attempts': exchange.attempts,
      'spillway.refusal': word,
      'spillway.aborted': exchange.ending === ENDED_ABORTED,
      'spillway.tunnel': status === 101,
      'spillway.kept': moment.kept,
    }),
    events: eventsOf(exchange, moment, attempts),
  });
}

/** What was decided on its way, in the order in which it was. */
function eventsOf(exchange: Exchange, moment: SpanMoment, attempts: readonly AttemptRecord[]): SpanEvent[] {
  const { answer, client, mirrored, route, service, startMs, waitedMs } = exchange;
  const events: SpanEvent[] = [];
  const begunMs = startMs + waitedMs;
  if (route.gate(client.listener.plan.id) !== null) {
    const attributes = { 'spillway.verdict': 'allowed', 'spillway.waited_ms': waitedMs };
    events.push({ timeMs: wallOf(moment, begunMs), name: 'limits', attributes });
  }
  if (mirrored) events.push({ timeMs: wallOf(moment, begunMs), name: 'mirror', attributes: {} });
  for (const { endpoint, number, pinned, reason, startMs: pickedMs } of attempts) {
    const attributes = saying({
      'spillway.endpoint': endpoint,
      'spillway.balancer': service.plan.balance.algorithm,
      'spillway.why': reason !== '' ? reason : pinned ? 'affinity' : 'balancer',
      'spillway.attempt': number,
    });
    const name = reason === 'hedge' ? 'hedge' : number > 1 ? 'retry' : 'pick';
    events.push({ timeMs: wallOf(moment, pickedMs), name, attributes });
  }
  if (answer.lastByteMs > 0) {
    events.push({ timeMs: wallOf(moment, answer.lastByteMs), name: 'last byte from the endpoint', attributes: {} });
  }
  return events.sort((one, other) => one.timeMs - other.timeMs);
}

// WHY four parameters: as above.
function attemptSpan(exchange: Exchange, moment: SpanMoment, shared: Shared, record: AttemptRecord): SpanRecord {
  const { client, service } = exchange;
  const { trace } = client.forwarding;
  const { outcome } = record;
  const events = [
    ['connect', record.connectingMs],
    ['tls handshake', record.handshakeMs],
    [record.reused ? 'sent on a kept connection' : 'sent', record.connectedMs],
    ['first byte', record.firstByteMs],
  ] as const;
  const isFault = typeof outcome === 'string' && outcome !== 'overtaken' && outcome !== 'aborted';
  return spanOf({
    ...shared,
    spanId: trace.spanId(record.number),
    parentId: trace.spanId(),
    name: `${targetOf(exchange).method} ${service.plan.name}`,
    kind: 'client',
    startMs: wallOf(moment, record.startMs),
    durationMs: record.endMs - record.startMs,
    problem: isFault ? outcome : typeof outcome === 'number' && outcome >= 500 ? `answered ${outcome}` : null,
    attributes: saying({
      'server.address': record.endpoint,
      'http.response.status_code': typeof outcome === 'number' && outcome > 0 ? outcome : null,
      'http.request.resend_count': record.number > 1 ? record.number - 1 : null,
      'spillway.service': service.plan.name,
      'spillway.endpoint': record.endpoint,
      'spillway.reason': record.reason,
      'spillway.outcome': typeof outcome === 'string' ? outcome : '',
      'spillway.reused_connection': record.reused,
    }),
    events: events.flatMap(([name, ms]) => (ms === 0 ? [] : [{ timeMs: wallOf(moment, ms), name, attributes: {} }])),
  });
}

/** The path without its query, which may hold what is nobody's business. */
function targetOf({ askedPath, retained }: Exchange): { readonly method: string; readonly path: string } {
  const bytes = retained!;
  const methodEnd = bytes.indexOf(SP);
  const method = textOf(bytes, 0, methodEnd);
  if (askedPath.length > 0) return { method, path: textOf(askedPath, 0, askedPath.length) };
  const end = bytes.indexOf(SP, methodEnd + 1);
  const query = bytes.indexOf(QUESTION, methodEnd + 1);
  return { method, path: textOf(bytes, methodEnd + 1, query === -1 || query > end ? end : query) };
}

function hostOf(host: Uint8Array | null): string {
  return host === null ? '' : textOf(host, 0, host.length);
}

/** Of the head that was sent on, whose size the listener bounds: several lines are one list (Trace Context §3.3.1). */
function traceState(retained: Uint8Array, to: number): string {
  const head = Buffer.from(retained.buffer, retained.byteOffset, to).toString('latin1');
  const lines = Array.from(head.matchAll(/^tracestate:[ \t]*([^\r\n]*)/gim), ([, value = '']) => value.trim());
  return lines.join(',').slice(0, STATE_MAX);
}
