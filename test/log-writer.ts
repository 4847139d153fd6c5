/**
 * A process that writes numbered log lines through a `Sink`, for tests of real targets: `log-writer.ts TARGET NAME LINES`.
 * Ends with what became of them, as JSON on stderr. With `touch` as a fourth argument it uses its `process.stdout` first. The fifth is
 * how it ends: it closes the sink, or leaves that to the end: by `exit`, by an error (`throw`), or by having nothing to do (`return`).
 */
import fs from 'node:fs';
import { setImmediate as turn } from 'node:timers/promises';
import { isMainThread } from 'node:worker_threads';
import { systemClock } from '../src/kernel/clock.ts';
import { Sink } from '../src/observe/log/sink.ts';

const [target = 'stdout', name = 'a', lines = '1000', touch = '', ending = 'close'] = process.argv.slice(2);
if (touch === 'touch') process.stdout.write(`${name} starts\n`);
const result = { written: 0, dropped: 0, errors: 0, notices: [] as string[] };
const sink = new Sink({
  name: 'log',
  target,
  clock: systemClock,
  notice: (_level, message) => result.notices.push(message),
  count(dropped, errors) {
    result.dropped += dropped;
    result.errors += errors;
  },
});
for (let line = 0; line < Number(lines); line += 1) {
  const text = `${JSON.stringify({ name, line, text: 'x'.repeat((line * 37) % 900) })}\n`;
  const room = sink.room(text.length);
  if (room !== null) {
    result.written += 1;
    sink.commit(sink.length + Buffer.from(text).copy(room, sink.length));
  }
  // Requests come in over time, not in one turn of the event loop.
  if (line % 20 === 0) await turn();
}
if (ending === 'close') await sink.close();
// After the sink's own end, and not from a thread: that has no standard error of its own.
if (isMainThread) process.on('exit', () => fs.writeSync(2, JSON.stringify(result)));
if (ending === 'exit') process.exit();
if (ending === 'throw') throw new Error('at the end');
