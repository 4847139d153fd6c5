/** The quickstart as CI or a person runs it. Serial, because it asks for the ports of its config. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdirSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { CliProcess } from '../../test/cli-process.ts';

const start = fileURLToPath(new URL('start.ts', import.meta.url));
const copies = (): string[] => readdirSync(tmpdir()).filter((name) => name.startsWith('spillway-quickstart-'));

/** True if something accepts a connection there. */
async function answers(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
  test(`ends on ${signal} and leaves nothing behind`, async () => {
    const before = copies();
    await using quickstart = new CliProcess([start, '--free-ports'], { executable: process.execPath });
    await quickstart.printed(/Try, in another terminal/);
    const ports = [...new Set([...quickstart.err.matchAll(/127\.0\.0\.1:(\d+)/g)].map(([, port]) => Number(port)))];
    assert.equal(ports.length, 5, quickstart.err);
    for (const port of ports) assert.ok(await answers(port), `${port}`);
    quickstart.child.kill(signal);
    const { code, err } = await quickstart.exit;
    assert.equal(code, 0, err);
    assert.match(err, /stopped/);
    for (const port of ports) assert.equal(await answers(port), false, `${port} still answers`);
    assert.deepEqual(copies(), before);
  });
}

test('its servers end with it, also when it is killed', async () => {
  const before = copies();
  await using quickstart = new CliProcess([start, '--free-ports'], { executable: process.execPath });
  const [, port] = await quickstart.printed(/kill \$\(curl -s 127\.0\.0\.1:(\d+)/);
  quickstart.child.kill('SIGKILL');
  await quickstart.exit; // its servers hold the same pipes: this ends when they go
  while (await answers(Number(port))); // and their sockets a moment later
  // Nobody can tidy up after SIGKILL.
  for (const copy of copies().filter((name) => !before.includes(name)))
    rmSync(join(tmpdir(), copy), { recursive: true });
});

test('the port of the gateway being taken is said plainly, with what to do', async () => {
  const taken = createServer();
  taken.listen(8080, '127.0.0.1');
  await once(taken, 'listening');
  await using quickstart = new CliProcess([start], { executable: process.execPath });
  const { code, err } = await quickstart.exit;
  assert.equal(code, 3);
  assert.match(err, /Port 8080 of 127\.0\.0\.1 is taken.*npm start -- --free-ports/);
  assert.doesNotMatch(err, /^\s+at /m);
  taken.close();
});

test('a taken port of an example server is worked around', async () => {
  const taken = createServer();
  taken.listen(9002, '127.0.0.1');
  await once(taken, 'listening');
  await using quickstart = new CliProcess([start], { executable: process.execPath });
  await quickstart.printed(/Try, in another terminal/);
  assert.match(quickstart.err, /http:\/\/127\.0\.0\.1:8080/);
  assert.match(quickstart.err, /127\.0\.0\.1:9001/);
  assert.doesNotMatch(quickstart.err, /127\.0\.0\.1:9002/);
  quickstart.child.kill('SIGTERM');
  assert.equal((await quickstart.exit).code, 0);
  taken.close();
});
