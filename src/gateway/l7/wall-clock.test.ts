/** A machine whose clock is set while the gateway runs: waits are measured, not read off a clock on the wall. */
import assert from 'node:assert/strict';
import { onBoth } from '../../../test/engine/bench.ts';
import { ManualClock } from '../../../test/engine/manual-clock.ts';
import { fieldOf } from '../../../test/engine/message.ts';
import { answer } from '../../../test/engine/origin.ts';
import { turn } from '../../../test/engine/peer.ts';

const HOUR_MS = 3_600_000;
const GET = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';

for (const stepMs of [HOUR_MS, -HOUR_MS]) {
  const way = stepMs > 0 ? 'forward' : 'back';

  onBoth(`a clock that is set an hour ${way} ends nothing that waits, and keeps nothing`, async (bench) => {
    const clock = new ManualClock();
    const changes = { serviceTimeouts: { responseHeaderMs: 10_000 }, timeouts: { idleMs: 30_000 } };
    const { client, origin, gateway } = await bench.line(changes, clock);
    client.write(GET);
    const server = await origin.accept();
    await server.request();
    clock.stepWall(stepMs);
    clock.nearly(10_000);
    await turn();
    server.write(answer('in time', 'Date: now\r\n'));
    assert.equal((await client.response()).body.toString(), 'in time');
    // The next is not answered: its time is over when it is, and not an hour later.
    client.write(GET);
    await server.request();
    clock.stepWall(stepMs);
    clock.nearly(10_000);
    assert.equal(gateway.refusals('upstream_timeout'), 0);
    clock.over();
    const refusal = await client.refusal(504, 'upstream_timeout');
    const saidMs = Date.parse(fieldOf(refusal, 'date') ?? '');
    assert.ok(Math.abs(saidMs - clock.wallMs()) < HOUR_MS / 2, 'what people read is the time on the wall');
    // The connection is idle now, for as long as it may be.
    clock.stepWall(-2 * stepMs);
    clock.nearly(30_000);
    assert.equal(gateway.listener('connections'), 1);
    clock.over();
    await client.gone();
  });
}
