/** Spans for tests: an ordinary one, but for what a test says. */
import type { SpanRecord } from '../../src/observe/trace/span-record.ts';

export function span(given: Partial<SpanRecord> & Pick<SpanRecord, 'traceId' | 'spanId'>): SpanRecord {
  return {
    parentId: null,
    state: '',
    name: 'GET /',
    kind: 'server',
    startMs: 1000,
    durationMs: 5,
    status: 'unset',
    statusMessage: '',
    service: 'shop',
    attributes: {},
    events: [],
    links: [],
    dropped: { attributes: 0, events: 0, links: 0 },
    ...given,
  };
}
