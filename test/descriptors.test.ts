/** A gateway whose clients take its last file descriptor: it goes on with what it has, and loses no worker by looking at itself. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { cleanups } from './gateway-under-test.ts';

const program = `
import { openSync } from 'node:fs';
import { createGateway } from ${JSON.stringify(new URL('../src/gateway/index.ts', import.meta.url).href)};
const say = (what) => process.stdout.write(what + '\\n');
const gateway = createGateway({
  workers: 1,
  config: {
    listeners: [{ name: 'web', address: '127.0.0.1:0' }],
    services: [{ name: 'shop', endpoints: ['127.0.0.1:9'] }],
    routes: [{ name: 'all', service: 'shop' }],
  },
  onEvent: ({ kind, reason }) => {
    if (kind !== 'worker-lost') return;
    say('lost: ' + reason);
    process.exit();
  },
});
await gateway.start();
try { for (;;) openSync('/dev/null'); } catch (error) { say(error.code); }
const heap = () => gateway.state().workers[0].heapBytes;
let [seen, looks] = [heap(), 0];
setInterval(() => {
  if (heap() === seen) return;
  seen = heap();
  if (++looks < 2) return;
  say('looked twice');
  process.exit();
}, 10);
`;

test('RFC 9112 §9.4: without a file descriptor left no worker is lost', async () => {
  const limited = ['-c', 'ulimit -n 200; exec "$0" "$@"', process.execPath, '--conditions=spillway-source', '--input-type=module', '-e', program]; // prettier-ignore
  const child = spawn('sh', limited, { stdio: ['ignore', 'pipe', 'inherit'] });
  cleanups.push(() => child.kill('SIGKILL'));
  const lines: string[] = [];
  createInterface(child.stdout).on('line', (line) => lines.push(line));
  await once(child, 'close');
  assert.deepEqual(lines, ['EMFILE', 'looked twice']);
});
