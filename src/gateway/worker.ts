/**
 * A data-plane worker thread: listeners, connections and pools of its own, and a port to the control thread through which it
 * is given its config and told to drain. It writes live numbers to its lane of the cells and sends messages only when
 * something was asked of it.
 */
import { parentPort, workerData } from 'node:worker_threads';
import type { FromWorker, ToWorker, WorkerStart } from './control/messages.ts';
import { DataPlane } from './data-plane.ts';
import type { CanaryPlan } from './snapshot.ts';
import { systemClock } from '../kernel/clock.ts';
import { createRandom } from '../kernel/random.ts';

const port = parentPort;
if (port === null) throw new Error('worker.ts runs in a worker thread');
// The control thread gives exactly this (see control/supervisor.ts).
const start = workerData as WorkerStart;
const say = (message: FromWorker): void => port.postMessage(message);

let spansTaken = (): void => {};

const plane = new DataPlane({
  clock: systemClock,
  random: createRandom(),
  lane: start.lane,
  transport: process.env['SPILLWAY_TRANSPORT'] === 'net' ? 'net' : 'auto',
  snapshot: start.snapshot,
  rowFull: () => say({ kind: 'row-full' }),
  notice: (level, message) => say({ kind: 'notice', level, message }),
  traced(spans, taken) {
    spansTaken = taken;
    say({ kind: 'spans', spans });
  },
});

async function apply(message: WorkerStart | Extract<ToWorker, { kind: 'apply' }>): Promise<void> {
  const { version } = message.snapshot;
  try {
    const ports = await plane.apply(message.snapshot, message.ports);
    say({ kind: 'applied', version, ports });
  } catch (error) {
    const { code = 'WORKER_FAILED', message: text } = error as NodeJS.ErrnoException;
    say({ kind: 'refused', version, code, message: text });
  }
}

/** A trial that this worker cannot run is one it is not part of. */
async function setCanary(plan: CanaryPlan | null): Promise<void> {
  try {
    await plane.setCanary(plan);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    say({ kind: 'notice', level: 'error', message: `worker ${start.lane} cannot run the config on trial: ${reason}` });
  }
}

// One after another: an apply that binds a listener is not overtaken by the next.
let last: Promise<void> = apply(start);

/** A drain does not wait for the one before it: it may be there to end that. */
async function drain(timeoutMs: number): Promise<void> {
  await last;
  await plane.drain(timeoutMs);
  say({ kind: 'drained' });
}

port.on('message', (message: ToWorker) => {
  switch (message.kind) {
    case 'apply':
      last = last.then(() => apply(message));
      break;
    case 'canary':
      last = last.then(() => setCanary(message.plan));
      break;
    case 'drain':
      void drain(message.timeoutMs);
      break;
    case 'spans-taken':
      spansTaken();
      break;
    case 'reopen-log':
      plane.reopenLog();
      break;
    default:
      message satisfies never;
  }
});
