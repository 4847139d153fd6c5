/**
 * Loaded before each test file by scripts/test.ts: ends a file that does not end by itself, because a test left something
 * open, and says what. The runner's own timeout is for tests, not for what they leave behind.
 * Not seen: a loop that never yields; the time limit of the whole run ends that.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';

// Twice what one test may take (scripts/test.ts): a file slower than that should be two files.
const deadlineMs = Number(process.env['SPILLWAY_TEST_FILE_DEADLINE_MS'] ?? 240_000);

/** The processes started by `pid` and by those, deepest first. Linux; elsewhere none are found. */
function descendants(pid: number | 'self'): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).flatMap((thread) => {
      const children = readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8')
        .split(' ')
        .filter(Boolean)
        .map(Number);
      return children.flatMap((child) => [...descendants(child), child]);
    });
  } catch {
    return [];
  }
}

if (isMainThread) {
  // Unreferenced: it fires only in a process that something else keeps alive.
  setTimeout(() => {
    const open = [...new Set(process.getActiveResourcesInfo())].join(', ');
    console.error(`${process.argv[1]}: did not end within ${deadlineMs / 1000} s; still open: ${open}`);
    for (const pid of descendants('self')) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It ended by itself.
      }
    }
    process.exit(1);
  }, deadlineMs).unref();
}
