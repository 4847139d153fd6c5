/** Whatever is sent as logs: lines within their bounds come out, or `OTLP_INVALID`. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { SpillwayError } from '../../kernel/errors.ts';
import type { LogRecord } from '../log/recent.ts';
import { decodeLogs, encodeLogs } from './logs.ts';

const ids = { traceId: '4bf92f3577b34da6a3ce929d0e0e4736', spanId: '00f067aa0ba902b7', correlationId: 'c' };
const line: LogRecord = { timeMs: 1, level: 'info', message: 'm', service: 's', ...ids, attributes: { a: 1 } };
const request = encodeLogs([line, line]);

test('bytes that are damaged, or none of ours', () => {
  const change = fc.tuple(fc.nat(request.length - 1), fc.nat(255));
  const damaged = fc.array(change, { minLength: 1, maxLength: 8 }).map((changes) => {
    const copy = Uint8Array.from(request);
    for (const [at, byte] of changes) copy[at] = byte;
    return copy;
  });
  let read = 0;
  fc.assert(
    fc.property(fc.oneof(damaged, fc.uint8Array({ maxLength: 200 })), (bytes) => {
      try {
        for (const { message, traceId, service } of decodeLogs(bytes).logs) {
          assert.ok(message.length <= 4096 && service !== '' && /^(?:[0-9a-f]{32})?$/.test(traceId));
          read += 1;
        }
      } catch (error) {
        assert.ok(error instanceof SpillwayError && error.code === 'OTLP_INVALID', String(error));
      }
    }),
    { numRuns: 3000 },
  );
  assert.ok(read > 100, `only ${read} lines were read`);
});
