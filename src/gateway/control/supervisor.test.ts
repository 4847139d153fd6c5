import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { closeSync, constants, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, test } from 'node:test';
import { cellLane, createCell } from '../../kernel/cells.ts';
import { systemClock, type Clock } from '../../kernel/clock.ts';
import { seededRandom } from '../../kernel/random.ts';
import { CellStore, compileSnapshot, resolveConfig } from '../config/index.ts';
import { ENDPOINT_SLOTS, endpointSlots, PROCESS_SLOTS, processSlots, ROUTE_SLOTS, routeSlots } from '../slots.ts';
import type { Snapshot } from '../snapshot.ts';
import { Supervisor } from './supervisor.ts';
import { END_MS } from './worker-thread.ts';

/**
 * A worker that obeys the snapshot's pseudonym: `refuse-2` refuses on lane 2, and so on; `throw`, `exit` and `fill` strike
 * when the log is reopened, `block` then opens what the variable BLOCKS names, and `late` waits for that before it takes its config. Its lane of the process cell says which version it runs, in the slot of `logLines`.
 */
const standIn = new URL(
  `data:text/javascript,${encodeURIComponent(`
    import { openSync } from 'node:fs';
    import { parentPort, workerData } from 'node:worker_threads';
    const { lane } = workerData;
    const bytes = Math.ceil((${PROCESS_SLOTS} * 8) / 64) * 64;
    let order = '';
    let waiting = null;
    function apply(snapshot) {
      const does = (what) => snapshot.pseudonym === what + '-' + lane;
      if (does('hang')) for (;;);
      if (does('crash')) throw new Error('crashed while it applied');
      if (does('late')) { waiting = snapshot; return; }
      if (does('refuse')) return parentPort.postMessage({ kind: 'refused', version: snapshot.version, code: 'EADDRINUSE', message: 'port taken' });
      order = snapshot.pseudonym;
      new Float64Array(snapshot.cell, 64 + lane * bytes, ${PROCESS_SLOTS})[${processSlots.logLines}] = snapshot.version;
      new Float64Array(snapshot.cell, 64 + lane * bytes, ${PROCESS_SLOTS})[${processSlots.heapBytes}] = 7;
      const ports = workerData.ports.web === undefined ? { web: 4000 + lane } : {};
      parentPort.postMessage({ kind: 'applied', version: snapshot.version, ports });
    }
    parentPort.on('message', (message) => {
      if (message.kind === 'reopen-log' && order === 'block-' + lane) openSync(process.env.BLOCKS, 'r');
      if (message.kind === 'reopen-log' && waiting !== null) { apply({ ...waiting, pseudonym: '' }); waiting = null; }
      if (message.kind === 'apply') apply(message.snapshot);
      if (message.kind === 'drain') setTimeout(() => parentPort.postMessage({ kind: 'drained' }), message.timeoutMs);
      if (message.kind === 'reopen-log' && order === 'throw-' + lane) throw new TypeError('no such thing');
      if (message.kind === 'reopen-log' && order === 'exit-' + lane) process.exit(3);
      if (message.kind === 'reopen-log' && order === 'fill-' + lane) for (const all = [];;) all.push(new Array(1e4).fill({}));
    });
    apply(workerData.snapshot);
  `)}`,
);

const cells = new CellStore(4);
const { config } = resolveConfig({
  listeners: [{ name: 'web', address: '127.0.0.1:0' }],
  services: [{ name: 'shop', endpoints: ['127.0.0.1:9'] }],
  routes: [{ name: 'all', service: 'shop' }],
});

function snapshot(version: number, pseudonym = 'calm'): Snapshot {
  return compileSnapshot(config!, { version, cells, ticketSecret: new Uint8Array(32), pseudonym });
}

/** Waits 0.1 s where the supervisor would wait 15 s for a worker that hangs. */
const impatient: Clock = {
  ...systemClock,
  after: (delayMs, run, options) =>
    systemClock.after(delayMs === 15_000 ? hangMs : delayMs === END_MS ? endMs : delayMs, run, options),
};
let hangMs = 15_000;
let endMs = END_MS;

const cleanups: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

function supervise(lanes: number, onNotice: (level: string, message: string) => void = () => {}) {
  const events = new EventEmitter();
  const supervisor = new Supervisor({
    lanes,
    entry: standIn,
    resourceLimits: { maxOldGenerationSizeMb: 16, maxYoungGenerationSizeMb: 2 },
    clock: impatient,
    random: seededRandom(7),
    clearLane: (lane) => cells.clearLane(lane),
    onLost: (lane, reason, restartInMs) => events.emit('lost', { lane, reason, restartInMs }),
    onReplaced: (lane) => events.emit('replaced', lane),
    onSpans: () => {},
    onRowFull: () => {},
    onNotice,
  });
  cleanups.push(() => supervisor.drain(0));
  return { supervisor, events };
}

function versions(lanes: number): number[] {
  return Array.from(
    { length: lanes },
    (_, index) => cellLane(cells.process, PROCESS_SLOTS, index + 1)[processSlots.logLines]!,
  );
}

test('the first worker learns the ports, the others get them', async () => {
  const { supervisor } = supervise(3);
  await supervisor.start(snapshot(1));
  assert.deepEqual(supervisor.ports, { web: 4001 });
  assert.equal(supervisor.serving, 3);
});

test('if the first worker cannot bind, the start fails with its reason and nothing is left', async () => {
  const { supervisor } = supervise(2);
  await assert.rejects(supervisor.start(snapshot(1, 'refuse-1')), { code: 'LISTEN_FAILED', message: 'port taken' });
  assert.deepEqual(
    supervisor.states().map(({ phase }) => phase),
    ['stopped', 'stopped'],
  );
});

test('if the first worker crashes at the start, the start fails with what it threw', async () => {
  const { supervisor } = supervise(2);
  await assert.rejects(supervisor.start(snapshot(1, 'crash-1')), {
    code: 'WORKER_FAILED',
    message: /crashed while it applied/,
  });
});

test('one worker that cannot start is tried again while the others serve', async () => {
  const { supervisor, events } = supervise(2);
  const lost = once(events, 'lost');
  await supervisor.start(snapshot(1, 'refuse-2'));
  const [{ lane, reason }] = (await lost) as [{ lane: number; reason: string }];
  assert.deepEqual([lane, reason], [2, 'port taken']);
  assert.deepEqual(
    supervisor.states().map(({ phase }) => phase),
    ['serving', 'waiting'],
  );
});

for (const [order, reason] of [
  ['throw', /^TypeError: no such thing/],
  ['exit', /^ended with exit code 3$/],
  ['fill', /^out of memory \(heap limit 16 MB\)$/],
] as const) {
  test(`a worker that is lost (${order}) is replaced; its gauges are cleared, its counters stay`, async () => {
    const { supervisor, events } = supervise(2);
    const used = snapshot(1, `${order}-2`);
    await supervisor.start(used);
    const route = cellLane(used.routes[0]!.cell, ROUTE_SLOTS, 2);
    route[routeSlots.inFlight] = 5;
    route[routeSlots.requests] = 50;
    const lost = once(events, 'lost');
    const replaced = once(events, 'replaced');
    supervisor.reopenLogs();
    const [loss] = (await lost) as [{ lane: number; reason: string; restartInMs: number }];
    assert.equal(loss.lane, 2);
    assert.match(loss.reason, reason);
    assert.ok(loss.restartInMs >= 50 && loss.restartInMs <= 100, `waits ${loss.restartInMs} ms`);
    assert.equal(route[routeSlots.inFlight], 0);
    assert.equal(route[routeSlots.requests], 50);
    assert.equal(cellLane(used.cell, PROCESS_SLOTS, 2)[processSlots.heapBytes], 0);
    assert.equal(cellLane(used.cell, PROCESS_SLOTS, 1)[processSlots.heapBytes], 7);
    assert.equal(supervisor.serving, 1);
    assert.deepEqual(await replaced, [2]);
    assert.equal(supervisor.serving, 2);
    assert.deepEqual(
      supervisor.states().map(({ restarts }) => restarts),
      [0, 1],
    );
  });
}

test('the gauges of a lost worker are cleared in a config on trial too', async () => {
  const { supervisor, events } = supervise(2);
  await supervisor.start(snapshot(1, 'exit-2'));
  const { config: tried } = resolveConfig({
    listeners: [{ name: 'web', address: '127.0.0.1:0' }],
    services: [{ name: 'shop', endpoints: ['127.0.0.1:10'] }],
    routes: [{ name: 'all', service: 'shop' }],
  });
  const trial = compileSnapshot(tried!, { version: 2, cells, ticketSecret: new Uint8Array(32), pseudonym: 'calm' });
  const counts = { canary: createCell(4, ROUTE_SLOTS), others: createCell(4, ROUTE_SLOTS) };
  supervisor.setCanary({ snapshot: trial, share: 0.5, ...counts });
  const endpoint = cellLane(trial.services[0]!.endpoints[0]!.cell, ENDPOINT_SLOTS, 2);
  endpoint[endpointSlots.inFlight] = 5;
  endpoint[endpointSlots.requests] = 50;
  const lost = once(events, 'lost');
  supervisor.reopenLogs();
  await lost;
  assert.deepEqual([endpoint[endpointSlots.inFlight], endpoint[endpointSlots.requests]], [0, 50]);
});

test('a config that every worker takes is in force, and replacements start with it', async () => {
  const { supervisor, events } = supervise(2);
  await supervisor.start(snapshot(1));
  assert.deepEqual(await supervisor.apply(snapshot(2, 'exit-1')), { kind: 'applied' });
  assert.deepEqual(versions(2), [2, 2]);
  cellLane(cells.process, PROCESS_SLOTS, 1)[processSlots.logLines] = 0;
  const replaced = once(events, 'replaced');
  supervisor.reopenLogs();
  await replaced;
  assert.deepEqual(versions(2), [2, 2]);
});

test('a config that the first worker refuses reaches no other', async () => {
  const { supervisor } = supervise(3);
  await supervisor.start(snapshot(1));
  const outcome = await supervisor.apply(snapshot(2, 'refuse-1'));
  assert.deepEqual(outcome, { kind: 'refused', code: 'LISTEN_FAILED', reason: 'port taken' });
  assert.deepEqual(versions(3), [1, 1, 1]);
});

test('a config that a later worker refuses is taken back from those that took it', async () => {
  const { supervisor } = supervise(3);
  await supervisor.start(snapshot(1));
  const outcome = await supervisor.apply(snapshot(2, 'refuse-3'));
  assert.equal(outcome.kind, 'refused');
  assert.deepEqual(versions(3), [1, 1, 1]);
  assert.deepEqual(await supervisor.apply(snapshot(3)), { kind: 'applied' });
  assert.deepEqual(versions(3), [3, 3, 3]);
});

test('a config that kills the worker that tries it is refused, and the worker comes back with the old one', async () => {
  const { supervisor, events } = supervise(2);
  await supervisor.start(snapshot(1));
  const replaced = once(events, 'replaced');
  const outcome = await supervisor.apply(snapshot(2, 'crash-1'));
  assert.equal(outcome.kind, 'refused');
  assert.match(outcome.kind === 'refused' ? outcome.reason : '', /lost while it took the config: Error: crashed/);
  await replaced;
  assert.deepEqual(versions(2), [1, 1]);
});

test('a worker that hangs over a config is ended and replaced, and the config refused', async () => {
  const { supervisor, events } = supervise(2);
  await supervisor.start(snapshot(1));
  const replaced = once(events, 'replaced');
  hangMs = 100;
  const outcome = await supervisor.apply(snapshot(2, 'hang-2'));
  hangMs = 15_000;
  assert.match(outcome.kind === 'refused' ? outcome.reason : '', /did not answer within/);
  await replaced;
  assert.deepEqual(versions(2), [1, 1]);
});

test('a worker that starts while a config is applied is brought up to date', async () => {
  const { supervisor } = supervise(2);
  const started = supervisor.start(snapshot(1, 'late-2'));
  while (supervisor.states()[1]!.phase !== 'starting') await new Promise(setImmediate);
  assert.deepEqual(await supervisor.apply(snapshot(2)), { kind: 'applied' });
  supervisor.reopenLogs();
  await started;
  while (versions(2)[1] !== 2) await new Promise(setImmediate);
  assert.deepEqual(versions(2), [2, 2]);
});

test('a worker that was lost while a config was applied comes back with the new one', async () => {
  const { supervisor, events } = supervise(2);
  await supervisor.start(snapshot(1, 'exit-2'));
  const lost = once(events, 'lost');
  supervisor.reopenLogs();
  await lost;
  const replaced = once(events, 'replaced');
  assert.deepEqual(await supervisor.apply(snapshot(2)), { kind: 'applied' });
  await replaced;
  // It may have come back with the old one, and is brought up to date then.
  while (versions(2)[1] !== 2) await new Promise(setImmediate);
  assert.deepEqual(versions(2), [2, 2]);
});

test('with no worker left, a new config starts one at once', async () => {
  const { supervisor, events } = supervise(1);
  await supervisor.start(snapshot(1, 'exit-1'));
  const lost = once(events, 'lost');
  supervisor.reopenLogs();
  await lost;
  assert.notEqual(supervisor.idleSinceMs, null);
  assert.deepEqual(await supervisor.apply(snapshot(2)), { kind: 'applied' });
  assert.equal(supervisor.idleSinceMs, null);
  assert.deepEqual(versions(1), [2]);
});

test('a drain waits for the workers and replaces none; a shorter one cuts it', async () => {
  const { supervisor } = supervise(2);
  await supervisor.start(snapshot(1));
  const long = supervisor.drain(60_000);
  assert.deepEqual(
    supervisor.states().map(({ phase }) => phase),
    ['draining', 'draining'],
  );
  await supervisor.drain(0);
  await long;
  assert.deepEqual(
    supervisor.states().map(({ phase }) => phase),
    ['stopped', 'stopped'],
  );
});

test('a worker that is caught in a call of the system does not keep the others from ending', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'spillway-'));
  const pipe = join(folder, 'pipe');
  execFileSync('mkfifo', [pipe]);
  process.env['BLOCKS'] = pipe; // a pipe without a writer: its reader waits in open(2)
  endMs = 100;
  try {
    const notices: string[] = [];
    const { supervisor } = supervise(2, (level, message) => notices.push(`${level}: ${message}`));
    await supervisor.start(snapshot(1, 'block-2'));
    supervisor.reopenLogs();
    await supervisor.drain(0);
    const phases = supervisor.states().map(({ phase }) => phase);
    assert.deepEqual(phases, ['stopped', 'stuck']);
    assert.deepEqual(notices, ['error: worker 2 did not end within 5 s and is left to itself']);
    // Once more, with what it waits for, so that nothing is left of it.
    closeSync(openSync(pipe, constants.O_RDWR));
    endMs = END_MS;
    await supervisor.drain(0);
    assert.equal(supervisor.states()[1]?.phase, 'stopped');
  } finally {
    endMs = END_MS;
    delete process.env['BLOCKS'];
    rmSync(folder, { recursive: true });
  }
});
