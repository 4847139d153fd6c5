/**
 * A process that works on a filter's file, for tests that kill it: `filter-process.ts save|add|read PATH`. It says on stdout
 * what it has done, a line each.
 *
 * - `save`: writes filters of 100,000 keys and of 200,000 in turn, for ever.
 * - `add`: adds `key-0`, `key-1`, … one by one, for ever; a line is the number of the key that was just added.
 * - `read`: asks for the keys whose numbers come on stdin, a line each; answers `true` or `false`.
 */
import { createInterface } from 'node:readline';
import { createFilter, openFilterFile, saveFilter } from '../../src/bloom/index.ts';

const [mode, path = ''] = process.argv.slice(2);

/** The filters that `save` writes: their capacities tell them apart. */
function filterOf(capacity: number) {
  const filter = createFilter({ capacity });
  for (let key = 0; key < capacity; key++) filter.add(`key-${key}`);
  return filter;
}

if (mode === 'save') {
  const both = [filterOf(100_000), filterOf(200_000)];
  for (let turn = 0; ; turn++) {
    await saveFilter(both[turn % 2]!, path);
    process.stdout.write(`${turn}\n`);
  }
} else if (mode === 'add') {
  await using filter = await openFilterFile(path, { add: true });
  for (let key = 0; ; key++) {
    await filter.add(`key-${key}`);
    process.stdout.write(`${key}\n`);
  }
} else {
  await using filter = await openFilterFile(path);
  for await (const key of createInterface(process.stdin)) {
    process.stdout.write(`${await filter.has(`key-${key}`)}\n`);
  }
}
