/** Whatever is sent, a context comes out that may be sent on; and what is written is what is read. */
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { validateHeaderValue } from 'node:http';
import fc from 'fast-check';
import { untouchable } from '../../../test/observe/untouchable.ts';
import { seededRandom } from '../../kernel/random.ts';
import { formatBaggage, parseBaggage } from './baggage.ts';
import { extractContext, injectContext } from './header-fields.ts';
import { parseTracestate } from './trace-state.ts';
import type { WorkContext } from './work-context.ts';

const hex = (length: number): fc.Arbitrary<string> =>
  fc.oneof(
    { weight: 9, arbitrary: fc.stringMatching(new RegExp(`^[0-9a-f]{${length}}$`)) },
    { weight: 1, arbitrary: fc.stringMatching(new RegExp(`^[0aA-]{0,${length + 1}}$`)) },
  );
/** Nearly a traceparent, and sometimes one. */
const traceparent = fc
  .tuple(fc.constantFrom('00', 'cc', 'ff', '0'), hex(32), hex(16), hex(2), fc.constantFrom('', '-more', '.'))
  .map(([version, trace, span, flags, more]) => `${version}-${trace}-${span}-${flags}${more}`);
const listText = fc.stringMatching(/^[ab0=,;% \t_@2€"]{0,600}$/);
const field = fc.oneof(traceparent, listText, fc.string());

test('whatever is sent, what is sent on is valid and read as it was written', () => {
  let traced = 0;
  fc.assert(
    fc.property(traceparent, field, field, field, (parent, state, baggage, id) => {
      const sent = { traceparent: parent, tracestate: state, baggage, 'x-request-id': id };
      const fields = injectContext(extractContext(sent, seededRandom(1)));
      if (fields['traceparent'] !== undefined) traced += 1;
      for (const value of Object.values(fields)) assert.match(value, /^[\x20-\x7e]{1,8192}$/);
      assert.ok((fields['tracestate'] ?? '').length <= 512);
      assert.deepEqual(injectContext(extractContext(fields, seededRandom(2))), fields);
    }),
    { numRuns: 2000 },
  );
  assert.ok(traced > 50, `only ${traced} were read`);
});

test('whatever plain JavaScript has put into a context, what is sent of it are fields', () => {
  let sent = 0;
  const any = fc.anything({ withBigInt: true, withMap: true, withDate: true });
  const trace = fc.record({ traceId: fc.oneof(hex(32), any), spanId: fc.oneof(hex(16), any), flags: fc.oneof(fc.nat(3), any), state: fc.oneof(listText, any) }); // prettier-ignore
  const baggage = fc.oneof(
    any,
    fc.array(fc.tuple(fc.oneof(fc.constant('user'), any), any)).map((pairs) => new Map(pairs)),
  );
  const context = fc.record({ trace: fc.oneof(trace, any), correlationId: fc.oneof(field, any), baggage });
  fc.assert(
    fc.property(context, (given) => {
      const fields = injectContext(given as WorkContext);
      for (const [name, value] of Object.entries(fields)) {
        validateHeaderValue(name, value);
        assert.match(value, /^[\x20-\x7e]{1,8192}$/);
        sent += 1;
      }
      assert.deepEqual(injectContext(extractContext(fields, seededRandom(2)))['traceparent'], fields['traceparent']);
    }),
    { numRuns: 2000 },
  );
  assert.ok(sent > 200, `only ${sent} were sent`);
});

test('what cannot be looked at is not sent, and what is beside it is', () => {
  const trace = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), flags: 1, state: '' };
  const whole: WorkContext = { trace, correlationId: 'order-42', baggage: new Map([['user', 'ann']]) };
  const fields = injectContext(whole);
  assert.deepEqual(Object.keys(fields), ['x-request-id', 'traceparent', 'baggage']);
  const { traceparent: _, ...withoutTrace } = fields;
  assert.deepEqual(injectContext({ ...whole, trace: untouchable(trace) }), withoutTrace);
  const { baggage: __, ...withoutBaggage } = fields;
  for (const baggage of [untouchable(new Map()), new Proxy(new Map([['user', 'ann']]), {})]) {
    assert.deepEqual(injectContext({ ...whole, baggage }), withoutBaggage);
  }
  const { 'x-request-id': ___, ...withoutId } = fields;
  assert.deepEqual(injectContext({ ...whole, correlationId: untouchable({}) as never }), withoutId);
  assert.deepEqual(injectContext(untouchable(whole)), {});
});

test('a valid tracestate comes out as it is, and what comes out is valid', () => {
  const member = fc
    .tuple(
      fc.stringMatching(/^[a-z0-9][a-z0-9_\-*/@]{0,8}$/),
      fc.stringMatching(/^[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,12}[!-+]$/),
    )
    .map(([key, value]) => `${key}=${value}`);
  const list = fc.uniqueArray(member, { maxLength: 20, selector: (text) => text.split('=')[0] });
  fc.assert(fc.property(list, (members) => assert.equal(parseTracestate(members.join(' ,\t')), members.join(','))));
});

test('baggage of any text comes back, within its bounds', () => {
  const key = fc.stringMatching(/^[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,10}$/);
  const entries = fc.array(fc.tuple(key, fc.string({ unit: 'grapheme', maxLength: 30 })), { maxLength: 20 });
  fc.assert(
    fc.property(entries, (pairs) => {
      const baggage = new Map(pairs);
      assert.deepEqual(parseBaggage(formatBaggage(baggage)), baggage);
    }),
  );
});
