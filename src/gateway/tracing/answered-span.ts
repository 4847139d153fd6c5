/** The span of a request that the gateway has answered by itself: refused, limited, redirected. */
import type { Random } from '../../kernel/random.ts';
import { newSpanId, newTraceId } from '../../observe/context/trace-context.ts';
import type { SpanRecord } from '../../observe/trace/span-record.ts';
import type { ClientConnection } from '../l7/client.ts';
import { field } from '../l7/fields.ts';
import { isTraceparent } from '../l7/forwarding-values.ts';
import type { Head } from '../l7/head.ts';
import { saying, type SpanMoment, spanOf, textOf, wallOf } from './server-span.ts';

/** The span of a trusted caller. */
export interface CallerSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly isSampled: boolean;
}

export interface AnsweredRequest {
  readonly client: ClientConnection;
  readonly head: Head;
  readonly parent: CallerSpan | null;
  readonly status: number;
  /** '' if it is no refusal. */
  readonly refusal: string;
  readonly route: string;
  /** Names of the limits that refused it, or ''. */
  readonly limit: string;
  readonly waitedMs: number;
}

export function answeredSpan(
  request: AnsweredRequest,
  { random, ...moment }: SpanMoment & { readonly random: Random },
): SpanRecord {
  const { client, head, parent, status, refusal, route, limit, waitedMs } = request;
  const method = textOf(head.buffer, head.start, head.methodEnd);
  const limits = limit === '' ? [] : [{ 'spillway.verdict': 'refused', 'spillway.limits': limit }];
  return spanOf({
    traceId: parent?.traceId ?? newTraceId(random),
    spanId: newSpanId(random),
    parentId: parent?.spanId ?? null,
    state: '',
    name: route === '' ? method : `${method} ${route}`,
    kind: 'server',
    startMs: wallOf(moment, moment.nowMs - waitedMs),
    durationMs: waitedMs,
    problem: status >= 500 ? refusal || `answered ${status}` : null,
    attributes: saying({
      'http.request.method': method,
      'url.path': textOf(head.buffer, head.pathStart, head.pathEnd),
      'url.scheme': client.security.version === '' ? 'http' : 'https',
      'server.address': textOf(head.buffer, head.hostStart, head.hostEnd),
      'client.address': textOf(client.forwarding.clientText, 0, client.forwarding.clientLength),
      'http.response.status_code': status,
      'http.route': route,
      'spillway.listener': client.listener.plan.id,
      'spillway.refusal': refusal,
      'spillway.kept': moment.kept,
    }),
    events: limits.map((attributes) => ({ timeMs: moment.wallMs, name: 'limits', attributes })),
  });
}

/** The span that a trusted peer says it is, if it says so once and in the right form; `trusted` is where it does, or -1. */
export function callerSpan(head: Head, trusted: number): CallerSpan | null {
  if (trusted < 0 || trusted >= head.count || head.id[trusted] !== field.traceparent) return null;
  const from = head.valueStart[trusted]!;
  const to = head.valueEnd[trusted]!;
  if (!isTraceparent(head.buffer, from, to)) return null;
  const text = textOf(head.buffer, from, to);
  return {
    traceId: text.slice(3, 35),
    spanId: text.slice(36, 52),
    isSampled: (Number.parseInt(text.slice(53, 55), 16) & 1) === 1,
  };
}
