/**
 * Our parser against `node:http`, both reading the same bytes: generated messages with faults put in.
 *
 * What we accept, node reads identically (method, target, fields, body, and where the next message begins); what node refuses
 * we refuse, but for the deviations listed here. We refuse much that node accepts: that is the purpose.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type IncomingMessage, createServer, request as httpRequest } from 'node:http';
import { type AddressInfo, type Socket, connect, createServer as createNetServer } from 'node:net';
import { after, before, test } from 'node:test';
import * as fc from 'fast-check';
import { BothWays, type Parse } from '../../../test/both-ways.ts';
import { damage, damages, requestText, responseText } from '../../../test/damaged-messages.ts';
import { requestRows, responseRows } from '../../../test/smuggling-table.ts';
import { CHUNK_BAD, CHUNK_DATA, CHUNK_END, ChunkedDecoder } from './chunked.ts';
import { field } from './fields.ts';
import { CHUNKED, Head, LENGTH, MORE, OK, UNTIL_CLOSE } from './head.ts';
import { parseRequestHead } from './request-head.ts';
import { parseResponseHead } from './response-head.ts';

/** Errors of node's parser that we do not share, each with its reason. */
const deviations: Readonly<Record<string, string>> = {
  HPE_INVALID_METHOD: 'node knows a list of methods; a gateway passes on any token (RFC 9110 §9.1)',
};

const limits = {
  requestLineBytesMax: 8192,
  headerBytesMax: 16384,
  headerFieldsMax: 100,
  underscoresInNames: 'reject',
} as const;

interface Message {
  readonly start: string;
  readonly fields: readonly string[];
  readonly body: string;
}

interface Reading {
  readonly messages: Message[];
  /** Why there is no further message: its code if there was an error. */
  end: string;
}

// How we read

const both = new BothWays();
const parseRequest: Parse = (...given) => parseRequestHead(...given, limits);

function fieldsOf(head: Head): string[] {
  const fields: string[] = [];
  for (let i = 0; i < head.count; i += 1) {
    fields.push(head.text(head.nameStart[i]!, head.nameEnd[i]!), head.text(head.valueStart[i]!, head.valueEnd[i]!));
  }
  return fields;
}

/** The body that begins at `head.end`, and where it ends; null if it is cut short, undefined if it is broken. */
function bodyOf(head: Head, bytes: Buffer): { body: string; end: number } | null | undefined {
  if (head.bodyKind === UNTIL_CLOSE) return { body: bytes.toString('latin1', head.end), end: bytes.length };
  if (head.bodyKind === LENGTH) {
    const end = head.end + head.contentLength;
    return end > bytes.length ? null : { body: bytes.toString('latin1', head.end, end), end };
  }
  if (head.bodyKind !== CHUNKED) return { body: '', end: head.end };
  const decoder = new ChunkedDecoder();
  decoder.reset();
  let body = '';
  let at = head.end;
  for (;;) {
    const event = decoder.next(bytes, at, bytes.length);
    at = decoder.position;
    if (event === CHUNK_DATA) body += bytes.toString('latin1', decoder.dataStart, decoder.dataEnd);
    else if (event === CHUNK_END) return { body, end: at };
    else return event === CHUNK_BAD ? undefined : null;
  }
}

function readRequests(bytes: Buffer): Reading {
  const reading: Reading = { messages: [], end: 'done' };
  const head = new Head();
  let at = 0;
  while (at < bytes.length) {
    const verdict = both.parseCopy(parseRequest, head, bytes, at, bytes.length);
    const body = verdict === OK ? bodyOf(head, bytes) : null;
    if ((verdict !== OK && verdict !== MORE) || body === undefined) reading.end = `refused: ${head.problem}`;
    else if (body === null) reading.end = 'incomplete';
    if (reading.end !== 'done' || !body) return reading;
    const start = `${head.text(head.start, head.methodEnd)} ${head.text(head.targetStart, head.targetEnd)} ${head.minorVersion}`;
    reading.messages.push({ start, fields: fieldsOf(head), body: body.body });
    // Node reads no further behind a request to upgrade, even one that nobody takes up.
    if (!head.keepAlive || (head.upgradeListed && head.find(field.upgrade) !== -1)) return reading;
    at = body.end;
  }
  return reading;
}

function readResponse(bytes: Buffer, toHead: boolean): Reading {
  const reading: Reading = { messages: [], end: 'done' };
  const head = new Head();
  const parse: Parse = (...given) => parseResponseHead(...given, limits, toHead);
  const verdict = both.parseCopy(parse, head, bytes, 0, bytes.length);
  const body = verdict === OK ? bodyOf(head, bytes) : null;
  if ((verdict !== OK && verdict !== MORE) || body === undefined) reading.end = `refused: ${head.problem}`;
  else if (body === null) reading.end = 'incomplete';
  else reading.messages.push({ start: `${head.status} ${head.minorVersion}`, fields: fieldsOf(head), body: body.body });
  return reading;
}

// How node reads

async function bodyText(message: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  message.on('data', (part: Buffer) => parts.push(part));
  await once(message, 'end');
  return Buffer.concat(parts).toString('latin1');
}

const readings = new WeakMap<Socket, Reading>();
const server = createServer({ insecureHTTPParser: false });
server.on('connection', (socket) => {
  readings.set(socket, { messages: [], end: 'done' });
});
server.on('request', (request, response) => {
  const reading = readings.get(request.socket)!;
  const index = reading.messages.length;
  const start = `${request.method} ${request.url} ${request.httpVersionMinor}`;
  const fields = request.rawHeaders;
  reading.messages.push({ start, fields, body: '(not complete)' });
  bodyText(request).then(
    (body) => {
      reading.messages[index] = { start, fields, body };
      response.end();
    },
    () => {},
  );
});
server.on('clientError', (error: Error & { code?: string }, socket) => {
  readings.get(socket as Socket)!.end = error.code ?? 'error';
  // What came before is still on its way through the streams.
  setImmediate(() => setImmediate(() => socket.destroy()));
});

let answerBytes: Buffer = Buffer.alloc(0);
const answers = createNetServer((socket) => {
  socket.on('error', () => {});
  socket.once('data', () => socket.end(answerBytes));
});

before(async () => {
  server.listen(0, '127.0.0.1');
  answers.listen(0, '127.0.0.1');
  await Promise.all([once(server, 'listening'), once(answers, 'listening')]);
});
after(() => {
  server.close();
  server.closeAllConnections();
  answers.close();
});

async function nodeRequests(bytes: Buffer): Promise<Reading> {
  const accepted = once(server, 'connection') as Promise<[Socket]>;
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  client.on('error', () => {});
  client.resume();
  const [socket] = await accepted;
  const closed = Promise.all([new Promise((resolve) => socket.once('close', resolve)), once(client, 'close')]);
  client.end(bytes);
  await closed;
  return readings.get(socket)!;
}

async function nodeResponse(bytes: Buffer, toHead: boolean): Promise<Reading> {
  answerBytes = bytes;
  const reading: Reading = { messages: [], end: 'done' };
  const { port } = answers.address() as AddressInfo;
  const request = httpRequest({ port, host: '127.0.0.1', agent: false, method: toHead ? 'HEAD' : 'GET' });
  // It may come after the response: bytes too many.
  request.on('error', () => {});
  request.end();
  try {
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    const start = `${response.statusCode} ${response.httpVersionMinor}`;
    const body = await bodyText(response);
    reading.messages.push({ start, fields: response.rawHeaders, body });
  } catch (error) {
    reading.end = (error as { code?: string }).code ?? 'error';
  }
  request.destroy();
  return reading;
}

// What is compared

/** A message that node did not see the end of is `incomplete` to us. */
const CUT_SHORT = new Set(['HPE_INVALID_EOF_STATE', 'ECONNRESET']);

function compare(ours: Reading, nodes: Reading): void {
  const { messages } = ours;
  assert.deepEqual(nodes.messages.slice(0, messages.length), messages.slice(0, nodes.messages.length));
  if (nodes.messages.length < messages.length) {
    assert.ok(nodes.end in deviations, `we read message ${nodes.messages.length + 1}, node ends with ${nodes.end}`);
  }
  if (ours.end === 'incomplete' && nodes.messages.length <= messages.length) {
    assert.ok(
      CUT_SHORT.has(nodes.end) || nodes.end === 'done' || nodes.end in deviations,
      `we wait for more, node ends with ${nodes.end}`,
    );
  }
}

test('requests: what we accept node reads identically, what node refuses we refuse', async () => {
  let taken = 0;
  let refused = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(requestText, { minLength: 1, maxLength: 3 }), damages, async (texts, some) => {
      const bytes = damage(texts.join(''), some);
      const ours = readRequests(bytes);
      taken += ours.messages.length;
      if (ours.end.startsWith('refused')) refused += 1;
      compare(ours, await nodeRequests(bytes));
    }),
    { numRuns: 1500 },
  );
  assert.ok(taken > 500 && refused > 300, `the generator has gone blind: ${taken} taken, ${refused} refused`);
});

test('responses: what we accept node reads identically, what node refuses we refuse', async () => {
  let taken = 0;
  let refused = 0;
  await fc.assert(
    fc.asyncProperty(responseText, damages, fc.boolean(), async (text, some, toHead) => {
      const bytes = damage(text, some);
      // A 1xx is not the response; node goes on reading, we are asked again.
      fc.pre(!/^HTTP\/1\.[01] 1/.test(bytes.toString('latin1')));
      const ours = readResponse(bytes, toHead);
      taken += ours.messages.length;
      if (ours.end.startsWith('refused')) refused += 1;
      compare(ours, await nodeResponse(bytes, toHead));
    }),
    { numRuns: 1000 },
  );
  assert.ok(taken > 200 && refused > 200, `the generator has gone blind: ${taken} taken, ${refused} refused`);
});

test('the smuggling table: what we accept node reads identically, what node refuses we refuse', async () => {
  for (const { title, bytes } of requestRows) {
    const buffer = Buffer.from(bytes, 'latin1');
    await assert.doesNotReject(async () => compare(readRequests(buffer), await nodeRequests(buffer)), title);
  }
  for (const { title, bytes } of responseRows) {
    const buffer = Buffer.from(bytes, 'latin1');
    await assert.doesNotReject(
      async () => compare(readResponse(buffer, false), await nodeResponse(buffer, false)),
      title,
    );
  }
});
