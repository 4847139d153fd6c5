import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { fastClock } from '../../../test/fast-clock.ts';
import { brokenMetrics } from '../../../test/observe/broken-metrics.ts';
import { type LogLine, messages, readLines } from '../../../test/observe/log-lines.ts';
import { untouchable } from '../../../test/observe/untouchable.ts';
import { runInContext } from '../context/work-context.ts';
import { createMetrics } from '../metrics/metrics.ts';
import { createLogs } from './logs.ts';

const dir = fs.mkdtempSync(join(tmpdir(), 'spillway-logs-trouble-'));
after(() => fs.rmSync(dir, { recursive: true, force: true }));
let files = 0;

const path = (name: string): string => join(dir, name);

describe('trouble', () => {
  test('lines that were lost are counted, told once, and the log itself says so when it goes on', async () => {
    const notices: string[] = [];
    const metrics = createMetrics();
    const target = path('missing/log');
    const logs = createLogs({
      ...{ service: 'shop', target, clock: fastClock, metrics },
      notice: (_level, message) => notices.push(message),
    });
    const log = logs.logger();
    const until = async (reached: () => boolean): Promise<void> => {
      while (!reached()) {
        log.info('line', { text: 'x'.repeat(1000) });
        await turn();
      }
    };
    await until(() => logs.counts.lost > 10);
    assert.equal(notices.length, 1);
    assert.match(notices[0]!, /^log .*missing\/log: lines are lost: ENOENT$/);
    fs.mkdirSync(path('missing'));
    await until(() => notices.length > 1);
    await until(() => fs.readFileSync(target, 'utf8').includes('log lines were lost'));
    await logs.close();
    const told = readLines(target).filter(({ msg }) => msg === 'log lines were lost');
    assert.equal(told[0]!['level'], 'warn');
    const { taken, lost, errors } = logs.counts;
    for (const line of told) assert.ok(Number(line['lost']) > 0 && Number(line['lost']) <= lost);
    assert.ok(errors > 0);
    let page = '';
    for await (const chunk of metrics.expose().body) page += chunk;
    assert.match(page, new RegExp(`spillway_log_lost_total ${lost}\\n`));
    assert.match(page, new RegExp(`spillway_log_lines_total\\{level="info"\\} ${taken - told.length}\\n`));
  });

  test('metrics and keepers of a user’s own that fail cost no line and no process', async () => {
    const fail = (): never => {
      throw new Error('of the user');
    };
    const broken = { recent: { addLine: fail }, metrics: brokenMetrics() };
    const logs = createLogs({ service: 'shop', target: path('kept'), ...broken });
    logs.logger().error('here');
    await logs.close();
    assert.deepEqual(messages(readLines(path('kept'))), ['here']);
    logs.logger().error('too late');
    assert.deepEqual([logs.counts.taken, logs.counts.lost], [1, 1]);
    const full = createLogs({ service: 'shop', target: '/dev/full', clock: fastClock, ...broken });
    while (full.counts.errors < 3) {
      full.logger().error('line');
      await turn();
    }
    await full.close();
  });

  test('a context that plain JavaScript has made costs no line', async () => {
    const trace = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331', flags: 1, state: '' };
    const made = [
      { trace, correlationId: 'job-1' },
      { correlationId: 42 },
      { trace: { ...trace, flags: undefined }, correlationId: untouchable({}) },
      { trace: untouchable(trace) },
      untouchable({}),
    ];
    const logs = createLogs({ service: 'shop', target: path('made') });
    for (const context of made) runInContext(context as never, () => logs.logger().info('here'));
    await logs.close();
    const ids = readLines(path('made')).map((line) => [line['trace_id'], line['correlation_id']]);
    const none = [undefined, undefined];
    assert.deepEqual(ids, [[trace.traceId, 'job-1'], [undefined, '42'], none, none, none]);
  });

  test('after close lines are counted as lost, and closing twice is closing', async () => {
    const notices: string[] = [];
    const notice = (_level: string, message: string): unknown => notices.push(message);
    const logs = createLogs({ service: 'shop', target: path('closed'), notice });
    await logs.close();
    await logs[Symbol.asyncDispose]();
    logs.logger().error('too late');
    assert.equal(logs.counts.lost, 1);
    assert.match(notices.join(), /it is closed/);
    assert.equal(fs.readFileSync(path('closed'), 'utf8'), '');
  });
});

const importOf = (names: string, file: string): string =>
  `import { ${names} } from ${JSON.stringify(join(import.meta.dirname, file))};\n`;

/** Runs a program that has `createLogs`, or what else it `imports`, below a shell command in which it is `program`. */
async function run(
  program: string,
  { command = 'program', imports = importOf('createLogs', 'logs.ts') } = {},
): Promise<{ code: number; out: string; errors: string }> {
  const file = path(`program-${files++}.ts`);
  fs.writeFileSync(file, imports + program);
  const shell = `program() { "$NODE" "$FILE"; }; set -o pipefail; ${command}`;
  const child = spawn('bash', ['-c', shell], {
    env: { ...process.env, NODE: process.execPath, FILE: file, DIR: dir },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [out, errors] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => (out += chunk));
  child.stderr.setEncoding('utf8').on('data', (chunk: string) => (errors += chunk));
  const [code] = (await once(child, 'close')) as [number];
  return { code, out, errors };
}

describe('a process', () => {
  test('that crashes has written why, behind all that came before', async () => {
    for (const crash of [
      "throw new Error('boom')",
      "void Promise.reject(new Error('boom'))",
      "setImmediate(() => { throw new Error('boom'); })",
    ]) {
      const target = path(`crash-${files++}`);
      const { code } = await run(
        `const log = createLogs({ service: 'shop', target: ${JSON.stringify(target)} }).logger();
         for (let line = 0; line < 500; line++) log.info('before', { line });
         log.error('last');
         ${crash};`,
      );
      assert.equal(code, 1);
      const lines = readLines(target);
      assert.deepEqual(
        lines.slice(0, 500).map(({ line }) => line),
        Array.from({ length: 500 }, (_, line) => line),
      );
      assert.deepEqual(messages(lines.slice(500)), ['last', 'uncaught error']);
      assert.deepEqual([lines[501]!['level'], (lines[501]!['err'] as LogLine)['message']], ['fatal', 'boom']);
    }
  });

  test('that says goodbye when it exits has written that too', async () => {
    const target = path('goodbye');
    await run(
      `const log = createLogs({ service: 'shop', target: ${JSON.stringify(target)} }).logger();
       process.on('exit', () => log.info('goodbye'));
       log.info('hello');
       process.exit();`,
    );
    assert.deepEqual(messages(readLines(target)), ['hello', 'goodbye']);
  });

  test('whose reader leaves goes on, and ends well', async () => {
    const { code, out, errors } = await run(
      `const logs = createLogs({ service: 'shop' });
       const log = logs.logger();
       while (logs.counts.errors === 0) { log.info('x'.repeat(500)); await new Promise(setImmediate); }
       await logs.close();`,
      { command: 'program | head -n 1' },
    );
    assert.equal(code, 0);
    assert.match(out, /^\{"level":"info".*\}\n$/);
    assert.match(errors, /^log stdout: lines are lost: EPIPE$|keep up/m);
  });

  // The reader wakes up when the program is over, and only then reads.
  const asleep =
    'rm -f "$DIR/over"; { program 2>&1; echo over > "$DIR/over"; } | { until [ -s "$DIR/over" ]; do sleep 0.05; done; cat > /dev/null; }';
  const full = `
    import fs from 'node:fs';
    const pipe = fs.openSync('/dev/fd/2', fs.constants.O_WRONLY | fs.constants.O_NONBLOCK);
    try { for (;;) fs.writeSync(pipe, 'x'); } catch {}`;

  test('whose output and errors go to one reader that sleeps is held up by neither', async () => {
    await run(
      `${full}
       const logs = createLogs({ service: 'shop' });
       const log = logs.logger();
       while (logs.counts.lost === 0) { log.info('x'.repeat(500)); await new Promise(setImmediate); }
       fs.writeFileSync(process.env.DIR + '/went-on', 'yes');
       process.exit();`,
      { command: asleep },
    );
    assert.equal(fs.readFileSync(path('went-on'), 'utf8'), 'yes');
  });

  // By itself: what pino loads makes standard error one that does not block.
  test('that tells of trouble is not held up by that', async () => {
    await run(`${full} tellStderr('warn', 'trouble'); fs.writeFileSync(process.env.DIR + '/told', 'yes');`, {
      command: asleep,
      imports: importOf('tellStderr', 'target.ts'),
    });
    assert.equal(fs.readFileSync(path('told'), 'utf8'), 'yes');
  });

  test('whose notice throws goes on', async () => {
    const logs = createLogs({
      ...{ service: 'shop', target: '/dev/full', clock: fastClock },
      notice() {
        throw new Error('of the caller');
      },
    });
    while (logs.counts.errors < 3) {
      logs.logger().error('line');
      await turn();
    }
    await logs.close();
  });

  test('opens its log anew on SIGHUP', async () => {
    const target = path('rotated');
    const { code } = await run(
      `import fs from 'node:fs';
       import { once } from 'node:events';
       const target = ${JSON.stringify(target)};
       const logs = createLogs({ service: 'shop', target });
       process.on('SIGHUP', () => logs.reopen());
       logs.logger().info('old');
       while (fs.statSync(target).size === 0) await new Promise(setImmediate);
       fs.renameSync(target, target + '.1');
       const done = once(process, 'SIGHUP');
       const alive = setInterval(() => {}, 1000);
       process.kill(process.pid, 'SIGHUP');
       await done;
       clearInterval(alive);
       logs.logger().info('new');
       await logs.close();`,
    );
    assert.equal(code, 0);
    assert.deepEqual([messages(readLines(`${target}.1`)), messages(readLines(target))], [['old'], ['new']]);
  });
});

test('threads share a file without mixing lines', async () => {
  const target = path('threads');
  const program = path('thread.ts');
  fs.writeFileSync(
    program,
    `import { workerData } from 'node:worker_threads';
     import { createLogs } from ${JSON.stringify(join(import.meta.dirname, 'logs.ts'))};
     const log = createLogs({ service: 'shop', target: workerData.target }).logger(workerData.name);
     for (let line = 0; line < 1000; line++) log.info('of a thread', { line, text: 'x'.repeat((line * 37) % 900) });`,
  );
  const names = ['a', 'b', 'c'];
  await Promise.all(names.map((name) => once(new Worker(program, { workerData: { target, name } }), 'exit')));
  const lines = readLines(target);
  for (const name of names) {
    const own = lines.filter(({ module }) => module === name);
    assert.deepEqual(
      own.map(({ line }) => line),
      Array.from({ length: 1000 }, (_, line) => line),
    );
  }
});
