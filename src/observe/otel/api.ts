/**
 * What is used of `@opentelemetry/api`, as types: it is handed in, and may be any 1.x. Nothing is imported from it.
 */

export interface OtelContext {
  getValue(key: symbol): unknown;
  setValue(key: symbol, value: unknown): OtelContext;
}

export interface OtelTraceState {
  serialize(): string;
}

export interface OtelSpanContext {
  readonly traceId: string;
  readonly spanId: string;
  readonly traceFlags: number;
  readonly isRemote?: boolean;
  readonly traceState?: OtelTraceState;
}

/** Seconds and nanoseconds, a date, or a number: of the Unix epoch in milliseconds, or of `performance.now()`. */
export type OtelTime = readonly [number, number] | number | Date;

export type OtelAttributes = Readonly<Record<string, unknown>>;

export interface OtelLink {
  readonly context: OtelSpanContext;
  readonly attributes?: OtelAttributes;
}

export interface OtelSpan {
  spanContext(): OtelSpanContext;
  setAttribute(key: string, value: unknown): this;
  setAttributes(attributes: OtelAttributes): this;
  addEvent(name: string, attributesOrTime?: OtelAttributes | OtelTime, time?: OtelTime): this;
  addLink(link: OtelLink): this;
  addLinks(links: readonly OtelLink[]): this;
  setStatus(status: { readonly code: number; readonly message?: string }): this;
  updateName(name: string): this;
  end(time?: OtelTime): void;
  isRecording(): boolean;
  recordException(exception: unknown, time?: OtelTime): void;
}

export interface OtelSpanOptions {
  readonly kind?: number;
  readonly attributes?: OtelAttributes;
  readonly links?: readonly OtelLink[];
  readonly startTime?: OtelTime;
  readonly root?: boolean;
}

interface Baggage {
  getAllEntries(): [string, { readonly value: string }][];
}

export interface OtelSetter {
  set(carrier: unknown, key: string, value: string): void;
}

export interface OtelGetter {
  get(carrier: unknown, key: string): string | string[] | undefined;
}

/** `import * as api from '@opentelemetry/api'`. */
export interface OtelApi {
  readonly ROOT_CONTEXT: OtelContext;
  createTraceState(text: string): OtelTraceState;
  readonly trace: {
    setGlobalTracerProvider(provider: object): boolean;
    getSpan(context: OtelContext): object | undefined;
    setSpan(context: OtelContext, span: OtelSpan): OtelContext;
    deleteSpan(context: OtelContext): OtelContext;
    wrapSpanContext(context: OtelSpanContext): OtelSpan;
    disable(): void;
  };
  readonly context: {
    setGlobalContextManager(manager: object): boolean;
    disable(): void;
  };
  readonly propagation: {
    setGlobalPropagator(propagator: object): boolean;
    getBaggage(context: OtelContext): Baggage | undefined;
    setBaggage(context: OtelContext, baggage: Baggage): OtelContext;
    createBaggage(entries: Record<string, { value: string }>): Baggage;
    disable(): void;
  };
}
