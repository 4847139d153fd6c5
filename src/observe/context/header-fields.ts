/**
 * The context of a piece of work as header fields: `traceparent`, `tracestate`, `baggage`, `x-request-id`.
 *
 * Whatever is sent, a context comes out: what cannot be used is not, and a trace or an id begins here. Cost: below a microsecond if the fields
 * are short, O(bytes) within the bounds of each.
 * Source: W3C Trace Context level 2 §3.4, W3C Baggage.
 */
import { createRandom, type Random } from '../../kernel/random.ts';
import { emptyBaggage, formatBaggage, parseBaggage } from './baggage.ts';
import { partOf, textOf } from './plain-text.ts';
import { formatTraceparent, newTraceId, parseTraceparent, type TraceContext, traceContextOf } from './trace-context.ts';
import { parseTracestate } from './trace-state.ts';
import type { WorkContext } from './work-context.ts';

/** Names in lower case, as in `request.headers` of `node:http`; of a `Headers`, `Object.fromEntries(headers)`. */
export type IncomingFields = Readonly<Record<string, string | readonly string[] | undefined>>;

/** Token characters and the few others that ids in use have: nothing that could break out of a field or a log line. */
const CORRELATION_ID = /^[!#$%&'*+\-.^_`|~0-9A-Za-z:/=@]{1,128}$/;

/** Whether a caller's id may go into logs and on to others. */
function isCorrelationId(text: string): boolean {
  return CORRELATION_ID.test(text);
}

let ids: Random | null = null;

/**
 * What a request says of the work it belongs to. `trace` is the caller's span, or null. `random` makes the id of a request that has none.
 *
 * @example
 * const context = extractContext({ traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' });
 * runInContext(context, () => console.log(currentContext()?.correlationId)); // 0af7651916cd43dd8448eb211c80319c
 */
export function extractContext(fields: IncomingFields, random: Random = (ids ??= createRandom())): WorkContext {
  const trace = extractTrace(fields);
  const given = joined(fields['x-request-id']);
  const correlationId = isCorrelationId(given) ? given : (trace?.traceId ?? newTraceId(random));
  const baggage = joined(fields['baggage']);
  return { trace, correlationId, baggage: baggage === '' ? emptyBaggage : parseBaggage(baggage) };
}

/** The fields with which a request goes on. Without a context, none; and none for what could not be one, whoever made the context. */
export function injectContext(context: WorkContext | null): Record<string, string> {
  if (context === null) return {};
  const trace = traceContextOf(partOf(context, 'trace'));
  const fields: Record<string, string> = {};
  const id = textOf(partOf(context, 'correlationId'));
  if (isCorrelationId(id)) fields['x-request-id'] = id;
  if (trace !== null) {
    fields['traceparent'] = formatTraceparent(trace);
    const state = parseTracestate(trace.state);
    if (state !== '') fields['tracestate'] = state;
  }
  const baggage = formatBaggage(partOf(context, 'baggage'));
  if (baggage !== '') fields['baggage'] = baggage;
  return fields;
}

function extractTrace(fields: IncomingFields): TraceContext | null {
  const trace = parseTraceparent(joined(fields['traceparent']));
  if (trace === null) return null;
  const state = parseTracestate(joined(fields['tracestate']));
  return state === '' ? trace : { ...trace, state };
}

/** Several fields of one name are one list (RFC 9110 §5.2). Of what may be there once, a list is none. */
function joined(value: string | readonly string[] | undefined): string {
  return typeof value === 'string' ? value : (value?.join(',') ?? '');
}
