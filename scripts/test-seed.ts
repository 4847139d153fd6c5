/** Loaded before each test file by scripts/test.ts: properties begin with the seed of the run. */
import { isMainThread } from 'node:worker_threads';

import fc from 'fast-check';

if (isMainThread) fc.configureGlobal({ seed: Number(process.env['SPILLWAY_TEST_SEED']) });
