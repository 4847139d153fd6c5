import assert from 'node:assert/strict';
import test from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Buffers } from './buffers.ts';
import { type Held, Outbox } from './outbox.ts';

class Sent {
  readonly texts: string[] = [];
  readonly #buffers: Buffers;

  constructor(buffers: Buffers) {
    this.#buffers = buffers;
  }

  wire(name: string): Held {
    return {
      held: false,
      sendHeld: (buffer, length) => {
        this.texts.push(name + Buffer.from(buffer.buffer, buffer.byteOffset, length).toString());
        this.#buffers.giveBack(buffer);
      },
    };
  }
}

function outbox(): { box: Outbox; buffers: Buffers; sent: Sent } {
  const buffers = new Buffers(1024 * 1024);
  return { box: new Outbox(buffers), buffers, sent: new Sent(buffers) };
}

test('what a turn writes leaves at its end, in order, and a copy is sent of what was only lent', async () => {
  const { box, buffers, sent } = outbox();
  const a = sent.wire('a');
  const lent = Buffer.from('1');
  box.write(a, lent);
  lent.fill('x');
  box.write(sent.wire('b'), Buffer.from('2'));
  const given = buffers.borrow(100);
  given.set(Buffer.from('3'));
  box.give(a, given, 1);
  assert.deepEqual(sent.texts, []);
  await nextTurn();
  assert.deepEqual(sent.texts, ['a1', 'b2', 'a3']);
  box.write(a, Buffer.from('4'));
  await nextTurn();
  assert.deepEqual(sent.texts.at(-1), 'a4', 'the next turn has an end of its own');
  assert.equal(buffers.bytes, 0);
});

test('no more is held than a burst, however much a turn writes', async () => {
  const { box, buffers, sent } = outbox();
  const wires = [sent.wire('a'), sent.wire('b')];
  let heldMost = 0;
  for (let i = 0; i < 1000; i++) {
    box.write(wires[i % 2]!, Buffer.from(String(i)));
    heldMost = Math.max(heldMost, i + 1 - sent.texts.length);
  }
  assert.ok(heldMost < 32, String(heldMost));
  box.flush();
  assert.deepEqual(
    sent.texts,
    Array.from({ length: 1000 }, (_, i) => `${'ab'[i % 2]}${i}`),
  );
  await nextTurn();
  assert.equal(sent.texts.length, 1000);
  assert.equal(buffers.bytes, 0);
});

test('who cannot wait takes along what is held of its own wire, and nothing of others', async () => {
  const { box, buffers, sent } = outbox();
  const [a, b, c] = [sent.wire('a'), sent.wire('b'), sent.wire('c')];
  for (const [at, wire] of [a, b, a, c].entries()) box.write(wire, Buffer.from(String(at)));
  box.flushFor(a);
  assert.deepEqual(sent.texts, ['a0', 'a2']);
  assert.deepEqual([a.held, b.held, c.held], [false, true, true]);
  box.flushFor(a);
  box.write(c, Buffer.from('+'));
  box.write(a, Buffer.from('4'));
  await nextTurn();
  assert.deepEqual(sent.texts, ['a0', 'a2', 'b1', 'c3+', 'a4']);
  assert.equal(buffers.bytes, 0);
});

test('what follows for the same wire goes along, as far as there is room', () => {
  const { box, buffers, sent } = outbox();
  const wire = sent.wire('');
  const pieces = Array.from({ length: 10_000 }, (_, i) => String(i));
  for (const [i, piece] of pieces.entries()) {
    if (i % 2 === 0) box.write(wire, Buffer.from(piece));
    else {
      const buffer = buffers.borrow(piece.length);
      buffer.set(Buffer.from(piece));
      box.give(wire, buffer, piece.length);
    }
  }
  box.flush();
  assert.equal(sent.texts.join(''), pieces.join(''));
  assert.ok(sent.texts.length < 10, String(sent.texts.length));
  assert.equal(buffers.bytes, 0);
});

test('who asks for it is told once when all that was written in the turn has left', async () => {
  const { box, sent } = outbox();
  const told: string[] = [];
  const late = { turned: () => void told.push(`late after ${sent.texts.join(' ')}`) };
  const early = {
    turned() {
      told.push(`early after ${sent.texts.join(' ')}`);
      box.write(sent.wire('c'), Buffer.from('3'));
      box.tell(late);
    },
  };
  box.tell(early);
  box.write(sent.wire('a'), Buffer.from('1'));
  box.write(sent.wire('b'), Buffer.from('2'));
  assert.deepEqual(told, []);
  await nextTurn();
  assert.deepEqual(told, ['early after a1 b2']);
  assert.deepEqual(sent.texts, ['a1', 'b2', 'c3'], 'what is written at the end of a turn leaves there too');
  await nextTurn();
  await nextTurn();
  assert.deepEqual(told, ['early after a1 b2', 'late after a1 b2 c3']);
});
