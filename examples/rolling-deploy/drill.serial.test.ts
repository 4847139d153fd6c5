/** The drill as a person runs it. Serial, because what it gives a request in time is what an idle machine needs, and not more. */
import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { CliProcess } from '../../test/cli-process.ts';

const drill = fileURLToPath(new URL('drill.ts', import.meta.url));
const folders = (): string[] => readdirSync(tmpdir()).filter((name) => name.startsWith('spillway-drill-'));

test('three servers are replaced under load, and no request, message or WebSocket fails', async () => {
  const before = folders();
  await using running = new CliProcess([drill], { executable: process.execPath });
  const { code, out, err } = await running.exit;
  assert.equal(code, 0, `${out}\n${err}`);
  assert.equal([...out.matchAll(/is drained after [\d.]+m?s: /g)].length, 3, out);
  for (const what of ['short requests', 'long requests', 'messages', 'WebSockets']) {
    const [, done, failed] = new RegExp(`^${what} +(\\d+) +(\\d+)`, 'm').exec(out) ?? [];
    assert.ok(Number(done) > 0, `${what}: ${done}`);
    assert.equal(failed, '0', out);
  }
  const [, first, second] = /^long requests .* (\d+) +(\d+)$/m.exec(out) ?? [];
  assert.ok(Number(first) > 0 && Number(second) > 0, 'both versions have answered long requests');
  assert.match(out, /told to go \(1001\), and back at once: [1-9]/);
  assert.deepEqual(folders(), before);
});
