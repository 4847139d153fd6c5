/**
 * The properties of framing, on the parser alone and for damaged messages: cutting changes nothing, what lies behind changes
 * nothing, and what we forward of an accepted request is read by the same parser as the same request.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import { BothWays, type Parse } from '../../../test/both-ways.ts';
import { damage, damages, requestText, responseText } from '../../../test/damaged-messages.ts';
import { ABSOLUTE_FORM, Head, MORE, NONE, OK, isWorthParsing } from './head.ts';
import { parseRequestHead } from './request-head.ts';
import { parseResponseHead } from './response-head.ts';
import { writeRequestHead } from './write-head.ts';

const limits = {
  requestLineBytesMax: 120,
  headerBytesMax: 400,
  headerFieldsMax: 6,
  underscoresInNames: 'reject',
} as const;

const both = new BothWays();
const parseRequest: Parse = (head, ...bytes) =>
  both.parseCopy((...given) => parseRequestHead(...given, limits), head, ...bytes);
const parseAnswer: Parse = (head, ...bytes) =>
  both.parseCopy((...given) => parseResponseHead(...given, limits, false), head, ...bytes);

/** What a verdict says: all of the head, as offsets from its start. */
function outcome(head: Head, verdict: number, base: number): unknown {
  if (verdict !== OK) return { verdict, problem: head.problem };
  const { count } = head;
  return {
    verdict,
    end: head.end - base,
    lines: [...head.lineStart.subarray(0, count)].map((at) => at - base),
    values: [...head.valueStart.subarray(0, count)].map((at) => at - base),
    ids: [...head.id.subarray(0, count)],
    drop: [...head.drop.subarray(0, count)],
    body: [head.bodyKind, head.contentLength],
    keepAlive: head.keepAlive,
    host: head.text(head.hostStart, head.hostEnd),
    path: head.text(head.pathStart, head.pathEnd),
  };
}

/** As a connection does it: bytes come in pieces, and a parse is tried only when it can say something new. */
function readInPieces(parse: Parse, bytes: Buffer, cuts: readonly number[]): unknown {
  const head = new Head();
  const buffer = Buffer.alloc(bytes.length, '\n');
  let verdict = MORE;
  let had = 0;
  for (const to of [...cuts, bytes.length]) {
    bytes.copy(buffer, had, had, to);
    if (isWorthParsing(buffer, 0, had, to, limits)) verdict = parse(head, buffer, 0, to);
    if (verdict !== MORE) break;
    had = to;
  }
  // What is wrong within a line that never ended is found by the last look.
  if (verdict === MORE) verdict = parse(head, buffer, 0, bytes.length);
  return outcome(head, verdict, 0);
}

for (const [name, texts, parse] of [
  ['requests', requestText, parseRequest],
  ['responses', responseText, parseAnswer],
] as const) {
  test(`${name}: the verdict is the same whole, byte by byte, and cut anywhere`, () => {
    fc.assert(
      fc.property(texts, damages, fc.array(fc.nat(400), { maxLength: 6 }), (text, some, places) => {
        const bytes = damage(text, some);
        const head = new Head();
        const whole = outcome(head, parse(head, bytes, 0, bytes.length), 0);
        const cuts = places.filter((cut) => cut < bytes.length).toSorted((a, b) => a - b);
        assert.deepEqual(readInPieces(parse, bytes, cuts), whole);
        const everywhere = Array.from(bytes, (_, index) => index);
        assert.deepEqual(readInPieces(parse, bytes, everywhere), whole);
      }),
      { numRuns: 3000 },
    );
  });

  test(`${name}: what lies before and behind changes nothing`, () => {
    fc.assert(
      fc.property(texts, texts, damages, damages, (text, other, some, more) => {
        const bytes = damage(text, some);
        const end = bytes.indexOf('\r\n\r\n');
        fc.pre(end > 0 || bytes.length === 0);
        const alone = bytes.subarray(0, end + 4);
        const neighbour = damage(other, more);
        const head = new Head();
        const verdict = parse(head, alone, 0, alone.length);
        // Without an empty line of its own the message has not ended, and what follows belongs to it.
        fc.pre(verdict !== MORE);
        const expected = outcome(head, verdict, 0);
        const stream = Buffer.concat([neighbour, alone, neighbour]);
        // The same head, with all that the neighbour left in it.
        parse(head, stream, 0, neighbour.length);
        const found = parse(head, stream, neighbour.length, stream.length);
        assert.deepEqual(outcome(head, found, neighbour.length), expected);
      }),
      { numRuns: 3000 },
    );
  });
}

test('RFC 9110 §7.6: what is forwarded of an accepted request is one request, the same, without the fields of a hop', () => {
  let forwarded = 0;
  fc.assert(
    fc.property(requestText, damages, (text, some) => {
      const bytes = damage(text, some);
      const head = new Head();
      if (parseRequest(head, bytes, 0, bytes.length) !== OK) return;
      forwarded += 1;
      const method = head.text(head.start, head.methodEnd);
      const query = head.text(head.queryStart, head.queryEnd);
      const path = head.text(head.pathStart, head.pathEnd);
      const host = head.text(head.hostStart, head.hostEnd);
      const kept = keptFields(head);

      const out = Buffer.alloc(2048);
      const source = { bytes: head.buffer, start: head.pathStart, end: head.pathEnd, changed: false };
      let at = writeRequestHead(head, source, null, out, 0);
      at += out.write('\r\n', at);
      const again = new Head();
      const relaxed = { ...limits, headerBytesMax: 4096, requestLineBytesMax: 4096, headerFieldsMax: 50 };
      // A request of HTTP/1.0 without Host is given one by the engine, from where it goes.
      const verdict = parseRequestHead(again, out, 0, at, relaxed);
      if (head.hostIndex === -1 && head.targetForm !== ABSOLUTE_FORM) return;
      assert.equal(verdict, OK, again.problem);
      assert.equal(again.end, at);
      assert.equal(again.text(again.start, again.methodEnd), method);
      assert.equal(again.text(again.queryStart, again.queryEnd), query);
      if (path !== '') assert.equal(again.text(again.pathStart, again.pathEnd), path);
      assert.equal(again.text(again.hostStart, again.hostEnd), host);
      assert.equal(again.bodyKind, head.bodyKind);
      if (head.bodyKind !== NONE) assert.equal(again.contentLength, head.contentLength);
      assert.deepEqual(
        keptFields(again).filter((line) => !line.startsWith('Host:')),
        kept.filter((line) => !line.startsWith('Host:')),
      );
    }),
    { numRuns: 5000 },
  );
  assert.ok(forwarded > 1000, `the generator has gone blind: ${forwarded} forwarded`);
});

function keptFields(head: Head): string[] {
  const lines: string[] = [];
  for (let i = 0; i < head.count; i += 1) {
    if (head.drop[i] === 0) lines.push(head.text(head.lineStart[i]!, head.lineEnd[i]!));
  }
  return lines;
}
