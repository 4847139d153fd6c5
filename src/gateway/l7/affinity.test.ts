/** What the cookie of affinity says to a browser, by how the client came; which endpoint it means is in balancing.test.ts. */
import assert from 'node:assert/strict';
import { onBoth } from '../../../test/engine/bench.ts';
import { fieldOf } from '../../../test/engine/message.ts';
import { answer } from '../../../test/engine/origin.ts';
import { secure as secured } from '../../../test/engine/secure.ts';
import type { AffinityPlan } from '../snapshot.ts';

const { plan: tls, connect } = secured();
const attributes = '; Path=/; HttpOnly; SameSite=Lax';

for (const [secure, isSecure] of [
  ['auto', { clear: false, tls: true }],
  ['always', { clear: true, tls: true }],
  ['never', { clear: false, tls: false }],
] as const satisfies readonly (readonly [AffinityPlan['secure'], object])[]) {
  onBoth(`RFC 6265 §4.1.2.5: secure ${secure}: whether the cookie comes back in the clear`, async (bench) => {
    const origin = await bench.origin();
    origin.serve((_, connection) => {
      connection.write(answer());
    });
    const changes = { service: { affinity: { cookie: 'seat', attributes, secure } }, endpoint: () => ({ pin: 'pin' }) };
    const overTls = await bench.gateway([origin], { ...changes, listener: { tls } });
    const clients = {
      clear: await bench.client(await bench.gateway([origin], changes)),
      tls: await connect({ port: overTls.port }),
    };
    for (const how of ['clear', 'tls'] as const) {
      clients[how].write('GET / HTTP/1.1\r\nHost: shop.example\r\n\r\n');
      const cookie = fieldOf(await clients[how].response(), 'set-cookie');
      assert.equal(cookie, `seat=pin${attributes}${isSecure[how] ? '; Secure' : ''}`, how);
    }
    clients.tls.destroy();
  });
}
