/** What all spans of this gateway have in common. */
import type { AttributeValue, SpanRecord } from '../../observe/trace/span-record.ts';
import type { Kept } from './tracer.ts';

/** `service.name` of what the gateway itself does. */
export const GATEWAY_SERVICE = 'gateway';

/** Of a text that came with a request: a span must not be as large as somebody likes. */
const TEXT_MAX = 1024;

/** When a request was over, by both clocks, and why it is kept. */
export interface SpanMoment {
  readonly nowMs: number;
  readonly wallMs: number;
  readonly kept: Kept;
}

/** A time of the worker's clock as one of the day. */
export function wallOf({ nowMs, wallMs }: Pick<SpanMoment, 'nowMs' | 'wallMs'>, ms: number): number {
  return wallMs - (nowMs - ms);
}

/** `bytes[from, to)` as a text of bounded length. */
export function textOf(bytes: Uint8Array, from: number, to: number): string {
  const end = Math.min(to, from + TEXT_MAX);
  return end <= from ? '' : Buffer.from(bytes.buffer, bytes.byteOffset + from, end - from).toString('latin1');
}

/** Attributes without those that say nothing. */
export function saying(given: Readonly<Record<string, AttributeValue | null>>): Record<string, AttributeValue> {
  const told = Object.entries(given).filter(([, value]) => value !== null && value !== '' && value !== false);
  return Object.fromEntries(told) as Record<string, AttributeValue>;
}

const NOTHING_DROPPED = { attributes: 0, events: 0, links: 0 } as const;

export function spanOf(
  given: Omit<SpanRecord, 'service' | 'links' | 'dropped' | 'status' | 'statusMessage'> & {
    /** What went wrong; null if nothing did. */
    readonly problem: string | null;
  },
): SpanRecord {
  const { problem, ...rest } = given;
  return {
    ...rest,
    service: GATEWAY_SERVICE,
    status: problem === null ? 'unset' : 'error',
    statusMessage: problem ?? '',
    links: [],
    dropped: NOTHING_DROPPED,
  };
}
