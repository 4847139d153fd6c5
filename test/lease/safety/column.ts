/** The tests of a column of the matrix: one for each fault that can happen to the store. */
import { test } from 'node:test';

import { Cell, Ground } from './cell.ts';
import { type Claim, type FaultOf, faults, matrix, type Store, stores } from './matrix.ts';

export interface Column<S extends Store> {
  /** Provokes the fault, and lets processes go on incrementing. */
  readonly runs: { readonly [F in FaultOf<S>]: (cell: Cell) => Promise<void> };
  /** Those that need the servers for themselves: one after the other, before the rest. */
  readonly alone?: readonly FaultOf<S>[];
}

/** The others wait for the ends of leases most of their time. */
const SIDE_BY_SIDE = 6;

export function proveColumn<S extends Store>(store: S, { runs, alone = [] }: Column<S>): void {
  test(`${stores[store]}: what the safety matrix says`, { concurrency: SIDE_BY_SIDE }, async (column) => {
    await using ground = await Ground.open();
    const prove = (fault: FaultOf<S>): Promise<void> => {
      const claim: Claim = matrix[store][fault] as Claim;
      return column.test(`${faults[fault]}: ${claim}`, async (t) => {
        await using cell = new Cell(ground, fault);
        t.diagnostic(`SEED=${cell.seed}`);
        await runs[fault](cell);
        await cell.judge(claim);
      });
    };
    for (const fault of alone) await prove(fault);
    const rest = (Object.keys(runs) as FaultOf<S>[]).filter((fault) => !alone.includes(fault));
    await Promise.all(rest.map(prove));
  });
}
