/**
 * Whether a call allocates, told by the size of the heap before and after many. The engine needs a while to compile, and collects in
 * between, so what counts is some windows in a row that leave the heap as it is.
 */
import { getHeapStatistics } from 'node:v8';

const WINDOW_CALLS = 250_000;
const QUIET_WINDOWS = 4;
const WINDOWS_MAX = 40;
/** Measuring takes some itself; the smallest object takes 12. */
const BYTES_PER_CALL_MAX = 1;

/** Null if calls of `work`, which is told the number of the call, allocate nothing; else how much. */
export function allocates(work: (call: number) => void): string | null {
  let found = 0;
  for (let window = 0, quiet = 0; window < WINDOWS_MAX; window++) {
    const before = getHeapStatistics().used_heap_size;
    for (let call = 0; call < WINDOW_CALLS; call++) work(call);
    found = (getHeapStatistics().used_heap_size - before) / WINDOW_CALLS;
    quiet = found >= 0 && found <= BYTES_PER_CALL_MAX ? quiet + 1 : 0;
    if (quiet === QUIET_WINDOWS) return null;
  }
  return `${found.toFixed(1)} B a call`;
}
