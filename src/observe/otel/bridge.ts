/**
 * Spans that user code and libraries make by `@opentelemetry/api` join ours: the same traces, the same context through async code, the same
 * fields on the wire. So there is one answer to "which span runs here", whoever asks.
 *
 * What goes the other way: a span of ours is active for OpenTelemetry. What OpenTelemetry's contexts hold beside span and baggage goes along.
 * What it is not: metrics and logs of that API; and a binder of event emitters, whose listeners run in the context of whoever emits.
 */
import { invalid } from '../../kernel/options.ts';
import { extractContext, injectContext } from '../context/header-fields.ts';
import type { TraceContext } from '../context/trace-context.ts';
import { currentContext, runInContext, type WorkContext } from '../context/work-context.ts';
import { Span } from '../trace/span.ts';
import type { SpanKind } from '../trace/span-record.ts';
import type { Traces } from '../trace/traces.ts';
import type {
  OtelApi,
  OtelContext,
  OtelGetter,
  OtelSetter,
  OtelSpan,
  OtelSpanContext,
  OtelSpanOptions,
} from './api.ts';
import { BridgedSpan, toAttributes, toLink, toTraceContext, wallMsOf } from './bridged-span.ts';

/** By their number in that API. */
const kinds: readonly SpanKind[] = ['internal', 'server', 'client', 'producer', 'consumer'];
/** Set by OpenTelemetry's exporters around their own requests. */
const SUPPRESSED = Symbol.for('OpenTelemetry SDK Context Key SUPPRESS_TRACING');
const CORRELATION_ID = Symbol('correlation id');
const FIELDS = ['traceparent', 'tracestate', 'baggage', 'x-request-id'];
const NO_SPAN: OtelSpanContext = { traceId: '0'.repeat(32), spanId: '0'.repeat(16), traceFlags: 0 };

class Bridge {
  readonly #api: OtelApi;
  readonly #traces: Traces;
  /** One for each span, so that the active one is the same object as the one that was started. */
  readonly #bridged = new WeakMap<Span, BridgedSpan>();

  constructor(api: OtelApi, traces: Traces) {
    this.#api = api;
    this.#traces = traces;
  }

  /** What runs here, as OpenTelemetry's context. */
  active(): OtelContext {
    const work = currentContext();
    const { trace, propagation, ROOT_CONTEXT } = this.#api;
    if (work === null) return ROOT_CONTEXT;
    const carried = work.carried as OtelContext | undefined;
    let context = carried ?? ROOT_CONTEXT;
    const span = work.trace === null ? undefined : this.spanOf(work.trace);
    const known = trace.getSpan(context);
    if (span === undefined) context = known === undefined ? context : trace.deleteSpan(context);
    else if (known !== span && !isSame(known as OtelSpan | undefined, span)) context = trace.setSpan(context, span);
    if (carried === undefined && work.baggage.size > 0) {
      const entries = Array.from(work.baggage, ([key, value]) => [key, { value }] as const);
      context = propagation.setBaggage(context, propagation.createBaggage(Object.fromEntries(entries)));
    }
    return context;
  }

  /** OpenTelemetry's context, as ours. */
  workOf(context: OtelContext): WorkContext {
    const span = this.#api.trace.getSpan(context) as OtelSpan | undefined;
    const trace =
      span instanceof BridgedSpan ? span.span : span === undefined ? null : toTraceContext(span.spanContext());
    const entries = this.#api.propagation.getBaggage(context)?.getAllEntries() ?? [];
    const given = context.getValue(CORRELATION_ID) as string | undefined;
    const inherited = trace instanceof Span ? trace.context.correlationId : currentContext()?.correlationId;
    return {
      trace,
      correlationId: given ?? inherited ?? trace?.traceId ?? this.#traces.newCorrelationId(),
      baggage: new Map(entries.map(([key, { value }]) => [key, value])),
      carried: context,
    };
  }

  spanOf(trace: TraceContext): OtelSpan {
    const { traceId, flags, state } = trace;
    const traceState = state === '' ? null : this.#api.createTraceState(state);
    if (!(trace instanceof Span)) {
      const { spanId } = trace;
      const context = {
        traceId,
        spanId,
        traceFlags: flags,
        isRemote: true,
        ...(traceState !== null && { traceState }),
      };
      return this.#api.trace.wrapSpanContext(context);
    }
    const known = this.#bridged.get(trace) ?? new BridgedSpan(trace, traceState);
    this.#bridged.set(trace, known);
    return known;
  }

  startSpan(scope: string, name: string, options: OtelSpanOptions, context: OtelContext): OtelSpan {
    if (context.getValue(SUPPRESSED) === true) return this.#api.trace.wrapSpanContext(NO_SPAN);
    const { kind = 0, attributes = {}, links = [], startTime, root = false } = options;
    const work = this.workOf(context);
    const span = this.#traces.startSpan(name, {
      kind: kinds[kind] ?? 'internal',
      attributes: { ...toAttributes(attributes), 'otel.scope.name': scope },
      links: links.map(toLink),
      parent: root ? { ...work, trace: null } : work,
      ...(startTime !== undefined && { startMs: this.#traces.clockMs(wallMsOf(startTime)) }),
    });
    return this.spanOf(span);
  }

  withSpan(context: OtelContext, span: OtelSpan): OtelContext {
    return this.#api.trace.setSpan(context, span);
  }

  run<T>(context: OtelContext, run: () => T): T {
    return runInContext(this.workOf(context), run);
  }

  inject(context: OtelContext, carrier: unknown, setter: OtelSetter): void {
    const work = this.workOf(context);
    for (const [name, value] of Object.entries(injectContext(work))) setter.set(carrier, name, value);
  }

  extract(context: OtelContext, carrier: unknown, getter: OtelGetter): OtelContext {
    const fields = Object.fromEntries(FIELDS.map((name) => [name, getter.get(carrier, name)]));
    const { trace, correlationId, baggage } = extractContext(fields, this.#traces.random);
    const { propagation } = this.#api;
    const entries = Array.from(baggage, ([key, value]) => [key, { value }] as const);
    let extracted = context.setValue(CORRELATION_ID, correlationId);
    if (trace !== null) extracted = this.#api.trace.setSpan(extracted, this.spanOf(trace));
    if (entries.length > 0) {
      extracted = propagation.setBaggage(extracted, propagation.createBaggage(Object.fromEntries(entries)));
    }
    return extracted;
  }
}

/** Another object for the same span of another process. */
function isSame(known: OtelSpan | undefined, span: OtelSpan): boolean {
  return !(span instanceof BridgedSpan) && known?.spanContext().spanId === span.spanContext().spanId;
}

function tracerOf(bridge: Bridge, scope: string): object {
  const startSpan = (name: string, options: OtelSpanOptions = {}, context = bridge.active()): OtelSpan =>
    bridge.startSpan(scope, name, options, context);
  return {
    startSpan,
    startActiveSpan(name: string, ...rest: readonly unknown[]): unknown {
      const run = rest.at(-1) as (span: OtelSpan) => unknown;
      const [options = {}, context = bridge.active()] = rest.slice(0, -1) as [OtelSpanOptions?, OtelContext?];
      const span = startSpan(name, options, context);
      return bridge.run(bridge.withSpan(context, span), () => run(span));
    },
  };
}

function contextManagerOf(bridge: Bridge): object {
  const manager = {
    active: () => bridge.active(),
    with: (context: OtelContext, run: (...args: unknown[]) => unknown, self?: unknown, ...args: unknown[]) =>
      bridge.run(context, () => run.apply(self, args)),
    bind(context: OtelContext, target: unknown): unknown {
      if (typeof target !== 'function') return target;
      return function bound(this: unknown, ...args: unknown[]): unknown {
        return bridge.run(context, () => target.apply(this, args) as unknown);
      };
    },
    enable: () => manager,
    disable: () => manager,
  };
  return manager;
}

/**
 * From now on, what is traced by `@opentelemetry/api` is part of these traces. Give it the API that your libraries load, before they start.
 *
 * @returns what takes it back
 * @example
 * import * as api from '@opentelemetry/api';
 * using registered = registerOpenTelemetry(api, traces);
 * api.trace.getTracer('shop').startActiveSpan('buy', (span) => span.end());
 */
export function registerOpenTelemetry(api: OtelApi, traces: Traces): Disposable {
  const bridge = new Bridge(api, traces);
  const provider = { getTracer: (name: string) => tracerOf(bridge, name) };
  const propagator = {
    inject: (context: OtelContext, carrier: unknown, setter: OtelSetter) => bridge.inject(context, carrier, setter),
    extract: (context: OtelContext, carrier: unknown, getter: OtelGetter) => bridge.extract(context, carrier, getter),
    fields: () => FIELDS,
  };
  const undo: (() => void)[] = [];
  const register = (what: string, isDone: boolean, disable: () => void): void => {
    if (isDone) {
      undo.push(disable);
      return;
    }
    for (const step of undo) step();
    throw invalid(`registerOpenTelemetry: ${what} is registered with @opentelemetry/api already; only one can be.`);
  };
  register('a tracer provider', api.trace.setGlobalTracerProvider(provider), () => api.trace.disable());
  register('a context manager', api.context.setGlobalContextManager(contextManagerOf(bridge)), () => api.context.disable()); // prettier-ignore
  register('a propagator', api.propagation.setGlobalPropagator(propagator), () => api.propagation.disable());
  return {
    [Symbol.dispose]() {
      for (const step of undo.splice(0)) step();
    },
  };
}
