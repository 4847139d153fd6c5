/**
 * A span that has ended, as data: what is stored, shown, sent and received. The one shape of it in the house.
 *
 * Plain: it goes through `structuredClone`, `postMessage` and JSON as it is. Source: the data model of OpenTelemetry's traces, without arrays and
 * maps as values.
 */

export type SpanKind = 'server' | 'client' | 'internal' | 'producer' | 'consumer';
export type SpanStatus = 'unset' | 'ok' | 'error';
export type AttributeValue = string | number | boolean;
export type Attributes = Readonly<Record<string, AttributeValue>>;

/** Something at a moment of a span: a retry, a pick, an exception. */
export interface SpanEvent {
  /** Milliseconds since the Unix epoch, with a fraction. */
  readonly timeMs: number;
  readonly name: string;
  readonly attributes: Attributes;
}

/** Another span that this one has to do with, and that is not its parent: of a batch, the requests in it. */
export interface SpanLink {
  readonly traceId: string;
  readonly spanId: string;
  readonly attributes: Attributes;
}

export interface SpanRecord {
  /** 32 lower-case hexadecimal digits. */
  readonly traceId: string;
  /** 16 of them. */
  readonly spanId: string;
  /** The span that caused it, here or at the caller; null of a root. */
  readonly parentId: string | null;
  /** `tracestate`, or empty. */
  readonly state: string;
  /** What there is few of: `GET /users/{id}`, not the path. */
  readonly name: string;
  readonly kind: SpanKind;
  /** Milliseconds since the Unix epoch, with a fraction. */
  readonly startMs: number;
  readonly durationMs: number;
  readonly status: SpanStatus;
  /** Of an error, what went wrong; else empty. */
  readonly statusMessage: string;
  /** Whose span it is: `service.name`. */
  readonly service: string;
  readonly attributes: Attributes;
  readonly events: readonly SpanEvent[];
  readonly links: readonly SpanLink[];
  /** What was not kept because a span has bounds, or because it was no value. */
  readonly dropped: { readonly attributes: number; readonly events: number; readonly links: number };
}
