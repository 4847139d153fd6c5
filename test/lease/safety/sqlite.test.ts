import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { FakeClock } from '../../faults/faketime.ts';
import type { Cell } from './cell.ts';
import { proveColumn } from './column.ts';
import { clientClockStepped, forgotten, forgottenTokens, HOUR_MS, killed, paused, type Site } from './faults.ts';

interface File {
  readonly site: Site;
  readonly remove: () => Promise<void>;
}

function fileOf(cell: Cell): File {
  const folder = mkdtempSync(join(tmpdir(), 'spillway-sqlite-'));
  const path = join(folder, 'locks.db');
  cell.use({ [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }) });
  return {
    site: { ports: [], address: () => ({ store: 'sqlite', ports: [], path }) },
    remove: async () => ['', '-wal', '-shm'].forEach((suffix) => rmSync(`${path}${suffix}`, { force: true })),
  };
}

proveColumn('sqlite', {
  runs: {
    paused: (cell) => paused(cell, fileOf(cell).site),
    killed: (cell) => killed(cell, fileOf(cell).site),
    clientClockStepped: (cell) => clientClockStepped(cell, fileOf(cell).site),
    async emptied(cell) {
      const { site, remove } = fileOf(cell);
      await forgotten(cell, site, remove);
    },
    async emptiedClockBack(cell) {
      const { site, remove } = fileOf(cell);
      const clock = cell.use(new FakeClock());
      clock.set(HOUR_MS);
      await forgottenTokens(cell, site, remove, cell.ownProcess({ environment: clock.environment }));
    },
  },
});
