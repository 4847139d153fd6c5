/**
 * What is still to be done when this thread ends: by `process.exit`, an error that nobody caught, or because nothing is left to do. One
 * listener of the process for all of it, and none while there is nothing. A signal that nobody handles ends a process without it, as
 * does `worker.terminate()`.
 */
const waiting = new Set<() => void>();

function runAll(): void {
  for (const run of waiting) run();
}

/** Calls `run`, which must be synchronous, at the end of the thread; not if what is returned was called before. */
export function atThreadEnd(run: () => void): () => void {
  if (waiting.size === 0) process.on('exit', runAll);
  waiting.add(run);
  return () => {
    waiting.delete(run);
    if (waiting.size === 0) process.off('exit', runAll);
  };
}
