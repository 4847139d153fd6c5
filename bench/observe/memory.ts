/** Bytes that one series takes, of a counter and of a histogram: heap and memory outside it, after all garbage is gone. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { contenders, type Contender } from './contenders.ts';

const SERIES = 10_000;

type Kind = 'counters' | 'histograms';

/** Makes a series for each of many routes, counts once in it, and keeps what is to be kept to count again. */
function fill(contender: Contender, kind: Kind): unknown[] {
  return Array.from({ length: SERIES }, (_, route) => {
    const [way] = Object.values(contender[kind](`/route/${route}`, '200'));
    way!(0.02);
    return way;
  });
}

/** The heap without garbage, also that of what was collected a moment ago. */
async function heapBytes(collect: () => void): Promise<number> {
  for (let round = 0; round < 3; round++) {
    collect();
    await new Promise((resolve) => setImmediate(resolve));
  }
  return process.memoryUsage().heapUsed;
}

export async function memoryPart(): Promise<void> {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const kept: unknown[] = [];
  process.stdout.write(`\nbytes of one series, of ${SERIES.toLocaleString('en')}\n`);
  for (const kind of ['counters', 'histograms'] as const) {
    for (const make of contenders) {
      const contender = make();
      const before = await heapBytes(collect);
      kept.push(contender, fill(contender, kind));
      const heap = ((await heapBytes(collect)) - before) / SERIES;
      const outside = (await contender.bytesOutside()) / SERIES;
      const line = `${kind.slice(0, -1).padEnd(10)} ${contender.name}`;
      process.stdout.write(
        `  ${line.padEnd(48)} ${heap.toFixed(0).padStart(7)} B in the heap, ${outside.toFixed(0)} B outside\n`,
      );
    }
  }
}
