/**
 * CPU time of a log line, all threads: pino's own line beside ours, to nowhere and to a file, and `JSON.stringify` of the same alone, which
 * is what nobody can be below. Contenders take turns; a figure is the best of them.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { pino } from 'pino';
import { createLogs, extractContext, runInContext } from 'spillway/observe';
import { cpuNs } from '../cpu-time.ts';

const ROUNDS = 7;
const LINES = 40_000;
/** As many in a turn of the event loop. */
const AT_ONCE = 50;

const context = {
  orderId: 17,
  customer: 'c-4711',
  total: 129.5,
  articles: [3, 5, 8],
  ship: { city: 'Kyoto', fast: true },
};
const error = Object.assign(new Error('no stock', { cause: new Error('no database') }), { code: 'E_STOCK' });
const redact = ['req.headers.authorization', 'req.headers.cookie', 'password', '*.password', 'token', '*.token'];
const base = { service: 'shop' };

interface Contender {
  readonly name: string;
  readonly log: (record: object, message: string) => void;
  readonly end: () => Promise<void> | void;
  /** A round in which lines were lost is none: they cost less. */
  readonly lost: () => number;
}

const none = { end: (): void => {}, lost: () => 0 };

function contenders(dir: string): Contender[] {
  const nowhere = { write: (): void => {} };
  const asynchronous = pino.destination({ dest: join(dir, 'pino'), sync: false, minLength: 4096 });
  const synchronous = pino.destination({ dest: join(dir, 'pino-sync'), sync: true });
  const timestamp = pino.stdTimeFunctions.isoTime;
  const ofPino = (name: string, options: object, stream: { write(line: string): unknown }): Contender => {
    const log = pino({ base, timestamp, ...options }, stream);
    return { ...none, name, log: (record, message) => log.info(record, message) };
  };
  const ours = (name: string, options: { target: string; level?: 'warn' }): Contender => {
    const logs = createLogs({ ...base, ...options });
    const log = logs.logger();
    return {
      name,
      log: (record, message) => log.info(message, record),
      end: () => logs.close(),
      lost: () => logs.counts.lost,
    };
  };
  const request = extractContext({ traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01' });
  const plain = ours('spillway/observe, to a file', { target: join(dir, 'spillway') });
  return [
    {
      name: 'JSON.stringify alone',
      log: (record, msg) => void `${JSON.stringify({ level: 30, time: Date.now(), ...base, ...record, msg })}\n`,
      ...none,
    },
    ofPino('pino, to nowhere', {}, nowhere),
    ofPino('pino, to a file, one write each (its default)', {}, synchronous),
    ofPino('pino, to a file, 4 kB a write', {}, asynchronous),
    ofPino('pino, the same, six paths redacted', { redact }, asynchronous),
    plain,
    {
      name: '  and in a context, whose four ids it has',
      log: (record, message) => runInContext(request, () => plain.log(record, message)),
      end: () => {},
      lost: plain.lost,
    },
    ours('  below the level', { target: join(dir, 'off'), level: 'warn' }),
  ];
}

export async function logsPart(): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'spillway-bench-logs-'));
  const records = { 'a message': {}, 'a message and five fields': context, 'an error with its cause': { err: error } };
  const all = contenders(dir);
  const best = new Map<string, number>();
  for (let round = 0; round < ROUNDS; round++) {
    for (const [what, record] of Object.entries(records)) {
      for (const { name, log, lost } of all) {
        const lostBefore = lost();
        const before = cpuNs();
        for (let line = 0; line < LINES; line++) {
          log(record, 'order taken');
          if (line % AT_ONCE === 0) await turn();
        }
        if (lost() > lostBefore) continue;
        const key = `${what}\n${name}`;
        best.set(key, Math.min(best.get(key) ?? Infinity, (cpuNs() - before) / LINES));
      }
    }
  }
  for (const { end } of all) await end();
  rmSync(dir, { recursive: true });
  for (const what of Object.keys(records)) {
    process.stdout.write(`\nCPU time of a log line: ${what}\n`);
    const pinos = best.get(`${what}\npino, to a file, 4 kB a write`)!;
    for (const { name } of all) {
      const ns = best.get(`${what}\n${name}`)!;
      process.stdout.write(
        `  ${name.padEnd(48)} ${ns.toFixed(0).padStart(7)} ns ${(ns / pinos).toFixed(2).padStart(6)}\n`,
      );
    }
  }
}
