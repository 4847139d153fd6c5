/** A client that takes its time with its body is not a server that takes its time with its answer. */
import assert from 'node:assert/strict';
import { type Bench, onBoth } from '../../../test/engine/bench.ts';
import { ManualClock } from '../../../test/engine/manual-clock.ts';
import { answer, type Origin } from '../../../test/engine/origin.ts';
import type { Peer } from '../../../test/engine/peer.ts';

interface Begun {
  readonly client: Peer;
  readonly server: Awaited<ReturnType<Origin['accept']>>;
  readonly clock: ManualClock;
}

/** A client that has sent the head alone, to a server that has 200 ms to answer, and no more to take the next of a body. */
async function begun(bench: Bench, field = ''): Promise<Begun> {
  const clock = new ManualClock();
  const { client, origin } = await bench.line({ serviceTimeouts: { responseHeaderMs: 200, bodyIdleMs: 200 } }, clock);
  client.write(`POST / HTTP/1.1\r\nHost: a\r\n${field}Content-Length: 5\r\n\r\n`);
  const server = await origin.accept();
  await server.until('the head', () => server.text.includes('\r\n\r\n'));
  return { client, server, clock };
}

/** Its body comes a second later, and is answered. */
async function goOnLate({ client, server, clock }: Begun): Promise<void> {
  clock.pass(1000);
  client.write('hello');
  assert.equal((await server.request()).body.toString(), 'hello');
  server.write(answer('ok'));
  assert.equal((await client.response()).status, 200);
}

onBoth(
  'RFC 9110 §15.5.9: a client may begin its body later than the server has to answer, once it has the request',
  async (bench) => {
    const one = await begun(bench);
    await goOnLate(one);
  },
);

onBoth(
  'RFC 9110 §10.1.1: after the 100 a client has its own time, not that in which the server has to answer',
  async (bench) => {
    const one = await begun(bench, 'Expect: 100-continue\r\n');
    one.server.write('HTTP/1.1 100 Continue\r\n\r\n');
    await one.client.until('the 100', () => one.client.text.endsWith('\r\n\r\n'));
    await goOnLate(one);
  },
);

onBoth(
  'RFC 9110 §10.1.1: a server that neither asks for the body nor answers is late, however long the client would wait',
  async (bench) => {
    const { client, clock } = await begun(bench, 'Expect: 100-continue\r\n');
    clock.pass(1000);
    assert.equal((await client.response()).status, 504);
  },
);
