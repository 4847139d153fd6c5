/** The client of one call against the HTTP/2 of Node, and against bytes that nobody should send. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type OutgoingHttpHeaders } from 'node:http2';
import { connect, type AddressInfo } from 'node:net';
import { after, test } from 'node:test';
import * as fc from 'fast-check';
import { decodeFields, encodeFields } from './hpack.ts';
import { callBytes, Http2Call, type CallOutcome } from './http2-call.ts';

const FIELDS = [
  [':method', 'POST'],
  [':scheme', 'http'],
  [':path', '/x'],
  [':authority', 'a.example'],
] as const;

let answer: OutgoingHttpHeaders = {};
let trailers: OutgoingHttpHeaders | null = null;
let asked: IncomingHttpHeaders = {};
const server = createServer();
server.on('stream', (stream, headers) => {
  asked = headers;
  stream.respond({ ':status': 200, ...answer }, { waitForTrailers: trailers !== null });
  stream.on('wantTrailers', () => stream.sendTrailers(trailers ?? {}));
  stream.end('body');
});
server.listen(0, '127.0.0.1');
await once(server, 'listening');
after(() => server.close());

/** One call to that server: what came of it, and all the bytes that it answered. */
async function call(fields: readonly (readonly [string, string])[]): Promise<{ outcome: CallOutcome; bytes: Buffer }> {
  const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
  const machine = new Http2Call({ bodyBytesMax: 100 });
  const chunks: Buffer[] = [];
  socket.write(callBytes({ fields: [...FIELDS, ...fields], body: Buffer.from('asked'), bodyBytesMax: 100 }));
  for await (const chunk of socket as AsyncIterable<Buffer>) {
    chunks.push(chunk);
    const { send, outcome } = machine.push(chunk);
    if (send !== null) socket.write(send);
    if (outcome === null) continue;
    socket.destroy();
    return { outcome, bytes: Buffer.concat(chunks) };
  }
  throw new Error('the connection ended without an outcome');
}

const printable = fc.string({
  unit: fc.constantFrom(...Array.from({ length: 95 }, (_, at) => String.fromCharCode(32 + at))),
});
/** Neither end of a field's value is white space, and Node sends none that is empty. */
const value = printable.map((text) => text.trim()).filter((text) => text !== '');

test('every field that the HTTP/2 of Node writes is read as it was, and what we write is read there', async () => {
  await fc.assert(
    fc.asyncProperty(value, value, fc.boolean(), async (sent, told, withTrailers) => {
      answer = { 'content-type': 'application/grpc', 'x-told': told };
      trailers = withTrailers ? { 'grpc-status': '0', 'grpc-message': told } : null;
      const { outcome } = await call([['x-sent', sent]]);
      assert.equal(asked['x-sent'], sent);
      assert.ok(outcome.kind === 'answer', JSON.stringify(outcome));
      assert.equal(outcome.answer.status, 200);
      assert.equal(outcome.answer.fields.get('content-type'), 'application/grpc');
      // A backslash has a long code, and nothing that is asked for holds one.
      if (!told.includes('\\')) {
        assert.equal(outcome.answer.fields.get('x-told'), told);
        if (withTrailers) assert.equal(outcome.answer.trailers.get('grpc-message'), told);
      }
      assert.equal(outcome.answer.trailers.get('grpc-status'), withTrailers ? '0' : undefined);
      assert.equal(Buffer.from(outcome.answer.body).toString(), 'body');
    }),
    { numRuns: 300 },
  );
});

test('a head over one frame goes in several', async () => {
  answer = {};
  trailers = null;
  const long = 'a'.repeat(8_000);
  const { outcome } = await call([1, 2, 3, 4, 5].map((number) => [`x-${number}`, long] as const));
  assert.equal(outcome.kind, 'answer');
  assert.equal(asked['x-5'], long);
});

function feed(bytes: Buffer, cuts: readonly number[]): CallOutcome | null {
  const machine = new Http2Call({ bodyBytesMax: 100 });
  let outcome: CallOutcome | null = null;
  let at = 0;
  for (const cut of [...cuts.map((share) => Math.floor(share * bytes.length)).sort((a, b) => a - b), bytes.length]) {
    outcome = machine.push(bytes.subarray(at, cut)).outcome;
    at = cut;
  }
  return outcome;
}

test('wherever the bytes are cut, the outcome is the same', async () => {
  answer = { 'content-type': 'application/grpc' };
  trailers = { 'grpc-status': '0' };
  const { outcome, bytes } = await call([]);
  fc.assert(
    fc.property(fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 20 }), (cuts) => {
      assert.deepEqual(feed(bytes, cuts), outcome);
    }),
  );
});

test('damaged and invented bytes come to an answer, a reason or a wish for more, and to no exception', async () => {
  answer = { 'content-type': 'application/grpc' };
  trailers = { 'grpc-status': '0' };
  const { bytes } = await call([]);
  const damage = fc.array(fc.tuple(fc.nat(bytes.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 });
  let broken = 0;
  fc.assert(
    fc.property(damage, fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 3 }), (changes, cuts) => {
      const damaged = Buffer.from(bytes);
      for (const [at, byte] of changes) damaged[at] = byte;
      if (feed(damaged, cuts)?.kind === 'broken') broken += 1;
    }),
    { numRuns: 5_000 },
  );
  assert.ok(broken > 500, String(broken));
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (block) => {
      const fields = decodeFields(block);
      assert.ok(
        fields === null || fields.every(([name, text]) => typeof name === 'string' && typeof text === 'string'),
      );
    }),
    { numRuns: 5_000 },
  );
});

test('what is encoded is what is decoded', () => {
  const field = fc.tuple(printable, printable);
  fc.assert(
    fc.property(fc.array(field, { maxLength: 5 }), (fields) => {
      assert.deepEqual(decodeFields(encodeFields(fields)), fields);
    }),
  );
});

test('a flood of frames that mean nothing is cut', () => {
  const machine = new Http2Call({ bodyBytesMax: 100 });
  const settings = Buffer.of(0, 0, 0, 4, 0, 0, 0, 0, 0);
  let outcome: CallOutcome | null = null;
  let acks = 0;
  for (let count = 0; outcome === null && count < 100_000; count++) {
    const step = machine.push(settings);
    outcome = step.outcome;
    acks += step.send?.length ?? 0;
  }
  assert.deepEqual(outcome, { kind: 'broken', reason: 'it sent over 40960 bytes' });
  assert.ok(acks <= 40_960);
});
