/** A relay under random rules. */
import assert from 'node:assert/strict';
import { test } from 'node:test';

import fc from 'fast-check';

import type { Way } from './relay.ts';
import { type End, scene } from './socket-ends.ts';

test('whatever is done to a line, each end has a prefix of what the other sent, and all of it if nothing was lost', async (context) => {
  const { relay, pair } = await scene(context);
  const wayOf = fc.constantFrom<Way>('toServer', 'toClient');
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.record({ send: wayOf, size: fc.integer({ min: 1, max: 3000 }) }) },
    { weight: 3, arbitrary: fc.record({ rule: fc.constantFrom('hold', 'pass', 'delay', 'limit', 'cut'), way: wayOf }) },
    { weight: 1, arbitrary: fc.constant('turn' as const) },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
      const { client, server } = await pair();
      const sent = { toServer: '', toClient: '' };
      const lostBefore = relay.lostBytes('toServer') + relay.lostBytes('toClient');
      for (const step of steps) {
        if (step === 'turn') await new Promise<void>((resolve) => setImmediate(resolve));
        else if ('send' in step) {
          const text = String.fromCharCode(97 + (sent[step.send].length % 26)).repeat(step.size);
          sent[step.send] += text;
          (step.send === 'toServer' ? client : server).socket.write(text);
        } else if (step.rule === 'delay') relay.delay(1, step.way);
        else if (step.rule === 'limit') relay.limit(1_000_000, step.way);
        else relay[step.rule](step.way);
      }
      relay.pass();
      client.socket.end();
      server.socket.end();
      const over = (end: End): boolean => end.ended || end.failure !== null;
      await Promise.all([client.until(over), server.until(over)]);
      assert.ok(sent.toServer.startsWith(server.got));
      assert.ok(sent.toClient.startsWith(client.got));
      const lost = relay.lostBytes('toServer') + relay.lostBytes('toClient') - lostBefore;
      if (lost > 0) assert.ok(client.failure !== null || server.failure !== null, 'a hole ends a connection');
      else assert.deepEqual([server.got, client.got], [sent.toServer, sent.toClient]);
    }),
    { numRuns: 100 },
  );
});
