/** Signals that come before `spillway up` has a gateway, and the ends of its launcher: real processes. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { CliProcess, runCli } from '../../test/cli-process.ts';
import { exitCodes } from './exit-codes.ts';

const folder = mkdtempSync(join(tmpdir(), 'spillway-signals-'));
after(() => rmSync(folder, { recursive: true }));

const file = join(folder, 'spillway.yaml');
writeFileSync(
  file,
  'listeners: [{ name: web, address: "127.0.0.1:0" }]\nservices: [{ name: shop, endpoints: ["127.0.0.1:9"] }]\n' +
    'routes: [{ service: shop }]\nadmin: { address: "127.0.0.1:0" }\nworkers: 1\n',
);

/** Sends the process `signal` at the moment at which it loads the gateway. */
function whileLoading(signal: string): Readonly<Record<string, string>> {
  const hook = `import { registerHooks } from 'node:module';
    registerHooks({ load(url, context, next) {
      if (url.endsWith('/gateway/index.ts')) process.kill(process.pid, '${signal}');
      return next(url, context);
    } });`;
  return { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(hook)}` };
}

test('a signal that comes before there is a gateway is acted on when there is one', async () => {
  await using reloaded = new CliProcess(['up', file], { environment: whileLoading('SIGHUP') });
  await reloaded.printed(/nothing changed/i);
  await using opened = new CliProcess(['up', file], { environment: whileLoading('SIGUSR2') });
  await opened.printed(/Ctrl-C drains/);
  const { code, err } = await runCli(['up', file], { environment: whileLoading('SIGTERM') });
  assert.equal(code, exitCodes.ok);
  assert.doesNotMatch(err, /Ctrl-C drains/);
});

const launcher = fileURLToPath(new URL('../../bin/spillway.js', import.meta.url));

for (const signal of ['SIGQUIT', 'SIGKILL'] as const) {
  test(`the launcher of a clone leaves no gateway behind at a ${signal}`, async () => {
    await using up = new CliProcess([launcher, 'up', file], { executable: process.execPath });
    await up.printed(/Ctrl-C drains/);
    up.child.kill(signal);
    // It is over when nobody holds its pipes any more, the gateway included.
    const exit = await up.exit;
    assert.equal(exit.signal, signal);
  });
}
