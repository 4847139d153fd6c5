import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { Buffers } from './buffers.ts';
import { Head } from './head.ts';
import { type HeadTaker, INTERIM_MAX, ResponseHeads } from './response-heads.ts';

const limits = { headerBytesMax: 300_000, headerFieldsMax: 5000 };

/** Counts how often parsing begins. */
class CountedHead extends Head {
  parses = 0;

  override reset(buffer: Uint8Array, start: number): void {
    this.parses += 1;
    super.reset(buffer, start);
  }
}

class Taker implements HeadTaker {
  takesHeads = true;
  /** Status of each head, `bad` for one that is none; behind the last one what came with it. */
  readonly seen: (number | string)[] = [];

  onHead(head: Head, bytes: Uint8Array, to: number): boolean {
    this.seen.push(head.status);
    if (head.status < 200) return true;
    this.seen.push(Buffer.from(bytes.subarray(head.end, to)).toString('latin1'));
    return false;
  }

  protocolFault(): void {
    this.seen.push('bad');
  }
}

function reader(): { head: CountedHead; buffers: Buffers; taker: Taker; heads: ResponseHeads } {
  const head = new CountedHead();
  const buffers = new Buffers(1e9);
  const taker = new Taker();
  const heads = new ResponseHeads(head, buffers, taker);
  heads.begin(limits, false);
  return { head, buffers, taker, heads };
}

function drip(heads: ResponseHeads, text: string, step = 1): void {
  const bytes = Buffer.from(text, 'latin1');
  for (let at = 0; at < bytes.length; at += step) {
    // In a buffer that is another's after the call, as a wire's is.
    const read = bytes.subarray(at, at + step);
    const shared = Buffer.concat([Buffer.from('..'), read]);
    heads.read(shared, 2, shared.length);
    shared.fill(0);
  }
}

const hints = 'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n';
const final = 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n';

describe('a head that drips', () => {
  test('is parsed once a line, not once a byte', () => {
    const { head, heads, taker, buffers } = reader();
    const lines = 2000;
    const text = `HTTP/1.1 200 OK\r\nContent-Length: 0\r\n${`X-A: ${'v'.repeat(100)}\r\n`.repeat(lines)}\r\n`;
    drip(heads, text);
    assert.deepEqual(taker.seen, [200, '']);
    assert.ok(head.parses <= lines + 10, `${head.parses} parses of ${text.length} bytes`);
    assert.equal(buffers.bytes, 0);
  });

  test('is kept in a buffer that grows a few times, not with each byte', () => {
    const { heads, taker, buffers } = reader();
    let borrowed = 0;
    const borrow = buffers.borrow.bind(buffers);
    buffers.borrow = (bytes) => {
      borrowed += 1;
      return borrow(bytes);
    };
    drip(heads, `HTTP/1.1 200 OK\r\nContent-Length: 0\r\nX-A: ${'v'.repeat(250_000)}\r\n\r\n`);
    assert.deepEqual(taker.seen, [200, '']);
    // One for each of the lines that were not the last, and one for each doubling.
    assert.ok(borrowed < 16, `${borrowed} buffers`);
    assert.equal(buffers.bytes, 0);
  });

  test('and ends nowhere is refused at the limit', () => {
    const { heads, taker } = reader();
    heads.begin({ headerBytesMax: 500, headerFieldsMax: 5000 }, false);
    drip(heads, `HTTP/1.1 200 OK\r\nX-A: ${'v'.repeat(478)}`, 50);
    assert.deepEqual(taker.seen, ['bad']);
  });
});

test('any cut: the same heads, and what is behind the last one is left to the answer', () => {
  const text = `${hints}${hints}${final}`;
  for (let cut = 1; cut < text.length; cut += 1) {
    const { heads, taker, buffers } = reader();
    heads.read(Buffer.from(text, 'latin1'), 0, cut);
    heads.read(Buffer.from(`${text}body`, 'latin1'), cut, text.length + 4);
    assert.deepEqual(taker.seen, [103, 103, 200, 'body'], `cut at ${cut}`);
    assert.equal(buffers.bytes, 0);
  }
});

test('heads that the taker does not take wait, whole or in part', () => {
  const { heads, taker, buffers } = reader();
  taker.takesHeads = false;
  drip(heads, `${hints}${final}bo`, 7);
  assert.deepEqual(taker.seen, []);
  taker.takesHeads = true;
  heads.readOn();
  assert.deepEqual(taker.seen, [103, 200, 'bo']);
  assert.equal(buffers.bytes, 0);
});

test('interim heads have a limit, and each answer its own', () => {
  const { heads, taker } = reader();
  drip(heads, hints.repeat(INTERIM_MAX) + final, 10_000);
  assert.deepEqual([taker.seen.length, taker.seen.includes('bad')], [INTERIM_MAX + 2, false]);
  heads.begin(limits, false);
  drip(heads, hints.repeat(INTERIM_MAX), 10_000);
  assert.equal(taker.seen.at(-1), 103);
  drip(heads, hints, 10_000);
  assert.equal(taker.seen.at(-1), 'bad');
});

test('the end gives back what was kept', () => {
  const { heads, taker, buffers } = reader();
  drip(heads, hints.slice(0, -2), 5);
  assert.ok(buffers.bytes > 0);
  heads.end();
  assert.equal(buffers.bytes, 0);
  drip(heads, final, 5);
  assert.deepEqual(taker.seen, [200, '']);
});
