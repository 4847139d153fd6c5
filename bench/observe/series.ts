/**
 * What it costs to keep what happens and to evaluate objectives: CPU time of a sample, of a round over a large gateway, of an evaluation; and what series that change each second
 * take of the process: its own pages (PSS of `/proc/self/smaps_rollup`) after a collection that gives all it can back, beside what is counted.
 * Simulated seconds, real time.
 */
import { readFileSync } from 'node:fs';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { cellLane } from '../../src/kernel/cells.ts';
import { SimulatedClock } from '../../src/kernel/simulated-clock.ts';
import { CellStore, compileSnapshot, resolveConfig } from '../../src/gateway/config/index.ts';
import { ProbeMaker } from '../../src/gateway/control/probes.ts';
import { ENDPOINT_SLOTS, endpointSlots } from '../../src/gateway/slots.ts';
import { createSeries, createSloEvaluator, resolveSlos } from '../../src/observe/index.ts';
import { cpuNs } from '../cpu-time.ts';

const COUNTERS = 1000;
const ENDPOINTS = 10_000;
const LANES = 5;

/** The least of three. */
function spentNs(run: () => void): number {
  const rounds = Array.from({ length: 3 }, () => {
    const before = cpuNs();
    run();
    return cpuNs() - before;
  });
  return Math.min(...rounds);
}

/** Of the process, with nothing that it could do without. */
async function takenBytes(): Promise<number> {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as (how: object) => void;
  for (let round = 0; round < 5; round++) {
    collect({ type: 'major', execution: 'sync', flavor: 'last-resort' });
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return Number(/^Pss:\s+(\d+)/m.exec(readFileSync('/proc/self/smaps_rollup', 'utf8'))![1]) * 1024;
}

export async function seriesPart(): Promise<void> {
  process.stdout.write('\nSeries and objectives\n');
  const say = (what: string, value: string): void => void process.stdout.write(`${what.padEnd(60)} ${value}\n`);

  const clock = new SimulatedClock();
  const series = createSeries({ clock });
  const counters = Array.from({ length: COUNTERS }, (_, at) =>
    series.counter({ name: 'c', labels: { at: String(at) } }),
  );
  const seconds = (count: number): void => {
    for (let second = 0; second < count; second++) {
      clock.pass(1000);
      for (const counter of counters) counter.add(clock.wallMs(), 1 + ((second * 7919) % 300));
    }
  };
  const before = await takenBytes();
  seconds(3600);
  const sampleNs = spentNs(() => seconds(600)) / (600 * COUNTERS);
  say('a sample of a counter, CPU', `${sampleNs.toFixed(0)} ns`);
  const [counted, taken] = [series.stats.bytes, (await takenBytes()) - before];
  const kb = (bytes: number): string => `${(bytes / COUNTERS / 1000).toFixed(1)} KB`;
  say('a counter that changed each second of 90 minutes', `${kb(counted)} counted, ${kb(taken)} taken`);

  const endpoints = Array.from({ length: ENDPOINTS }, (_, at) => `10.0.${at >> 8}.${at & 255}:80` as const);
  const { config } = resolveConfig({
    listeners: [{ name: 'web', address: '127.0.0.1:0' }],
    services: [{ name: 'shop', endpoints }],
    routes: [{ service: 'shop' }],
  });
  const options = { version: 1, cells: new CellStore(LANES), ticketSecret: new Uint8Array(32), pseudonym: 'p' };
  const snapshot = compileSnapshot(config!, options);
  const large = createSeries({ clock, seriesMax: 100_000 });
  const { all } = new ProbeMaker(large).make(snapshot, 0);
  const round = (): void => {
    clock.pass(1000);
    for (const { cell } of snapshot.services[0]!.endpoints) {
      const lane = cellLane(cell, ENDPOINT_SLOTS, 0);
      lane[endpointSlots.responses1xx + 1]! += 3;
      lane[endpointSlots.inFlight] = 1;
    }
    for (const probe of all) probe.sample(clock.wallMs());
  };
  for (let times = 0; times < 30; times++) round();
  const roundNs = spentNs(round);
  say(`a round over ${ENDPOINTS} busy endpoints, ${LANES - 1} workers, CPU`, `${(roundNs / 1e6).toFixed(1)} ms`);

  const { slos } = resolveSlos({
    service: 'shop',
    slos: [{ name: 'up', objective: '99.9%', sli: { events: { bad: 'a', total: 'b' } } }],
  });
  const live = createSloEvaluator({ slos: slos!.slos, series: createSeries({ clock }), clock });
  for (let second = 0; second < 100_000; second++) {
    clock.pass(1000);
    live.count('shop-up', { total: 100, bad: second % 50 === 0 ? 1 : 0 });
  }
  const evaluateNs = spentNs(() => {
    for (let times = 0; times < 1000; times++) live.evaluate();
  });
  say('an objective of 30 days, evaluated, CPU', `${(evaluateNs / 1000 / 1000).toFixed(0)} µs`);
}
