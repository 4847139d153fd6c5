/**
 * A process that writes numbered log lines through a `Sink`, for tests of real targets: `log-writer.ts TARGET NAME LINES`.
 * Ends with what became of them, as JSON on stderr. With `touch` as a fourth argument it uses its `process.stdout` first.
 */
import { setImmediate as turn } from 'node:timers/promises';
import { Sink } from '../src/gateway/access-log/sink.ts';
import { systemClock } from '../src/kernel/clock.ts';

const [target = 'stdout', name = 'a', lines = '1000', touch = ''] = process.argv.slice(2);
if (touch === 'touch') process.stdout.write(`${name} starts\n`);
const result = { written: 0, dropped: 0, errors: 0, notices: [] as string[] };
const sink = new Sink({
  target,
  clock: systemClock,
  notice: (_level, message) => result.notices.push(message),
  count(dropped, errors) {
    result.dropped += dropped;
    result.errors += errors;
  },
});
for (let line = 0; line < Number(lines); line += 1) {
  const room = sink.room();
  if (room !== null) {
    const text = `${JSON.stringify({ name, line, text: 'x'.repeat((line * 37) % 900) })}\n`;
    result.written += 1;
    sink.commit(sink.length + Buffer.from(text).copy(room, sink.length));
  }
  // Requests come in over time, not in one turn of the event loop.
  if (line % 20 === 0) await turn();
}
await sink.close();
process.stderr.write(JSON.stringify(result));
