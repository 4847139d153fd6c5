/** The scan where it works: in the engine between real sockets, and what happens where an engine cannot have it. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mock, test, type TestContext } from 'node:test';
import { Worker } from 'node:worker_threads';
import { Origin, answer } from '../../../test/engine/origin.ts';
import { connectTo, type Peer } from '../../../test/engine/peer.ts';
import { snapshotOf } from '../../../test/engine/plans.ts';
import { secure } from '../../../test/engine/secure.ts';
import { systemClock } from '../../kernel/clock.ts';
import { seededRandom } from '../../kernel/random.ts';
import { fieldScanCode } from './field-scan-code.ts';
import { FieldScan } from './field-scan.ts';
import type { Head } from './head.ts';
import { Listener } from './listener.ts';
import { Plane } from './plane.ts';

const { plan: tls, connect: connectSecure } = secure();
const get = 'GET / HTTP/1.1\r\nHost: shop.example\r\nX-Some: field\r\n\r\n';

/** How often the scan accepted and left the fields of a head, from now on. */
function counted({ room }: Head): { accepted: number; left: number } {
  assert.ok(room !== null, 'the head has no room in the scan');
  const count = { accepted: 0, left: 0 };
  const { lines } = room;
  const counting: typeof lines = (...given) => {
    const found = lines(...given);
    if (found === -1) count.left += 1;
    else count.accepted += 1;
    return found;
  };
  Reflect.set(room, 'lines', counting);
  return count;
}

/** A client of a gateway with an origin that answers `ok`. */
async function served(t: TestContext, isSecure: boolean): Promise<{ plane: Plane; client: Peer }> {
  const origin = await Origin.listen();
  origin.serve((_request, connection) => {
    connection.write(answer('ok'));
  });
  const snapshot = snapshotOf([origin.port], { listener: { tls: isSecure ? tls : null } });
  const plane = new Plane({
    clock: systemClock,
    random: seededRandom(1),
    lane: 1,
    transport: 'auto',
    snapshot,
    rowFull: () => {},
    traced: () => {},
    notice: () => {},
  });
  plane.apply(snapshot);
  const listener = new Listener(plane, snapshot.listeners[0]!, () => {});
  const port = await listener.listen(0);
  listener.open();
  const connected = await connectTo(port);
  const client = isSecure ? await connectSecure({ socket: connected.socket }) : connected;
  t.after(async () => {
    client.destroy();
    listener.close(0);
    listener.cut();
    plane.drain();
    await origin.close();
  });
  return { plane, client };
}

for (const isSecure of [false, true]) {
  const where = isSecure ? 'TLS' : 'in the clear';

  test(`heads of requests and responses are read by the scan [${where}]`, { timeout: 20_000 }, async (t) => {
    const { plane, client } = await served(t, isSecure);
    const [requests, responses] = [counted(plane.head), counted(plane.responseHead)];
    for (let i = 1; i <= 3; i += 1) {
      const response = await client.write(get).response();
      assert.equal(response.body.toString(), 'ok');
      assert.deepEqual(requests, { accepted: i, left: 0 });
      assert.deepEqual(responses, { accepted: i, left: 0 });
    }
  });

  test(`a gateway without the scan serves as well [${where}]`, { timeout: 20_000 }, async (t) => {
    const create = mock.method(FieldScan, 'create', () => null);
    t.after(() => create.mock.restore());
    const { plane, client } = await served(t, isSecure);
    assert.equal(create.mock.callCount(), 1);
    assert.ok(plane.raw !== null && plane.head.room === null && plane.responseHead.room === null);
    const response = await client.write(get).response();
    assert.equal(response.body.toString(), 'ok');
  });
}

test('where an engine has no such instructions or no memory for it, there is no scan, and nothing is thrown', async () => {
  // What else uses WebAssembly goes on.
  const refusing = `
    const { parentPort, workerData } = require('node:worker_threads');
    const { part, url, size } = workerData;
    const Part = WebAssembly[part];
    const isOurs = { Module: ([code]) => code.length === size, Memory: ([{ initial }]) => initial === 2 }[part];
    WebAssembly[part] = function (...given) {
      if (isOurs(given)) throw new WebAssembly.CompileError('not here');
      return new Part(...given);
    };
    import(url).then(({ FieldScan }) => parentPort.postMessage(FieldScan.create()));`;
  const url = new URL('field-scan.ts', import.meta.url).href;
  const size = Buffer.from(fieldScanCode, 'base64').length;
  for (const part of ['Module', 'Memory']) {
    const worker = new Worker(refusing, { eval: true, workerData: { part, url, size } });
    const [scan] = await once(worker, 'message');
    assert.equal(scan, null, part);
    await worker.terminate();
  }
});

test('the code of the scan is what its source says', async () => {
  const { default: createWabt } = await import('wabt');
  const wabt = await createWabt();
  const source = readFileSync(new URL('field-scan.wat', import.meta.url), 'utf8');
  const module = wabt.parseWat('field-scan.wat', source, { simd: true, relaxed_simd: true });
  try {
    assert.equal(fieldScanCode, Buffer.from(module.toBinary({}).buffer).toString('base64'));
  } finally {
    module.destroy();
  }
});
