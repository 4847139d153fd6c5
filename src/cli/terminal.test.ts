import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { test } from 'node:test';
import { createOutput, type OutputStream, plainPaint, printable } from './terminal.ts';

/** A stream that keeps what it is given, and takes the next chunk only when told. */
function stream(isTTY: boolean, stuck = false): { stream: OutputStream; text: () => string; release: () => void } {
  const chunks: string[] = [];
  const waiting: (() => void)[] = [];
  const made = new Writable({
    decodeStrings: false,
    write(chunk: string, _encoding, done) {
      chunks.push(chunk);
      if (stuck) waiting.push(done);
      else done();
    },
  });
  const release = (): void => {
    stuck = false;
    waiting.shift()?.();
  };
  return { stream: Object.assign(made, { isTTY }), text: () => chunks.join(''), release };
}

const colours = (isTTY: boolean, environment: NodeJS.ProcessEnv): boolean =>
  createOutput(stream(isTTY).stream, environment).paint('bad', 'x') !== 'x';

test('colour is for terminals alone, and never against NO_COLOR', () => {
  assert.equal(colours(true, {}), true);
  assert.equal(colours(true, { NO_COLOR: '' }), true); // no-color.org: empty does not count
  assert.equal(colours(true, { NO_COLOR: '1' }), false);
  assert.equal(colours(true, { TERM: 'dumb' }), false);
  assert.equal(colours(false, {}), false);
  assert.equal(plainPaint('bad', 'x'), 'x');
});

test('on a terminal what is for people is broken at spaces; a pipe gets it whole', () => {
  const text = `${'word '.repeat(30)}end`;
  const narrow = stream(true);
  createOutput(Object.assign(narrow.stream, { columns: 50 }), {}).prose(text);
  assert.equal(narrow.text().split('\n').length, 5);
  for (const line of narrow.text().split('\n')) assert.ok(line.length <= 50, line);
  const pipe = stream(false);
  createOutput(pipe.stream, {}).prose(text);
  assert.equal(pipe.text(), `${text}\n`);
});

test('an error of the stream closes the output and nothing else', () => {
  const { stream: broken } = stream(false);
  const output = createOutput(broken, {});
  broken.emit('error', Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }));
  assert.equal(output.closed, true);
  output.line('nobody hears it');
});

test('a reader that does not read costs at most a megabyte, and learns what it missed', async () => {
  const { stream: slow, text, release } = stream(false, true);
  const output = createOutput(slow, {});
  for (let line = 0; line < 100; line++) output.line('x'.repeat(100_000));
  assert.ok(slow.writableLength < 2_000_000, String(slow.writableLength));
  const drained = new Promise((resolve) => slow.once('drain', resolve));
  release();
  await drained;
  output.line('again');
  assert.match(text(), /\(\d+ lines were dropped: nobody read them\)\nagain\n$/);
});

test('what a terminal obeys is shown, not sent', () => {
  assert.equal(printable('a\u001B[31m\u0007\u202E\nb'), String.raw`a\u{1b}[31m\u{7}\u{202e}\u{a}b`);
  assert.equal(printable('grün → ok'), 'grün → ok');
});
