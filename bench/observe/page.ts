/**
 * What 50,000 series cost to show: CPU time, and the longest time between two turns of the event loop, which every request feels. OpenTelemetry
 * collects and writes no text here, so its figure is a part of what it takes.
 */
import { systemClock } from '../../src/kernel/clock.ts';
import { cpuNs } from '../cpu-time.ts';
import { contenders } from './contenders.ts';

const SERIES = 50_000;
const ROUNDS = 5;

/** The longest time between two turns of the event loop while `run` runs: by the clock, for the kernel counts CPU time of a thread in steps of 4 ms. */
async function longestStall(run: () => Promise<unknown>): Promise<number> {
  let longest = 0;
  let last = systemClock.nowMs();
  let isOver = false;
  const turn = (): void => {
    const now = systemClock.nowMs();
    longest = Math.max(longest, now - last);
    last = now;
    if (!isOver) setImmediate(turn);
  };
  setImmediate(turn);
  await run();
  await new Promise((resolve) => setImmediate(resolve));
  isOver = true;
  return longest;
}

export async function pagePart(): Promise<void> {
  process.stdout.write(`\n${SERIES.toLocaleString('en')} series of a counter as a page\n`);
  for (const make of contenders) {
    const contender = make();
    for (let route = 0; route < SERIES; route++) {
      Object.values(contender.counters(`/route/${route}`, '200'))[0]!();
    }
    let [bestNs, bestStall, length] = [Infinity, Infinity, 0];
    for (let round = 0; round < ROUNDS; round++) {
      const before = cpuNs();
      length = await contender.page();
      bestNs = Math.min(bestNs, cpuNs() - before);
      bestStall = Math.min(bestStall, await longestStall(() => contender.page()));
    }
    process.stdout.write(
      `  ${contender.name.padEnd(24)} ${(bestNs / 1e6).toFixed(0).padStart(5)} ms of CPU, ` +
        `${bestStall.toFixed(1).padStart(6)} ms at a stretch, ${length.toLocaleString('en')} bytes\n`,
    );
  }
}
