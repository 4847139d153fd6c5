/**
 * What all telemetry of one request through the gateway costs: `src/gateway/account.bench.ts`, in a process of its own, where no other part has had the
 * same functions compiled for its own shapes.
 */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const file = fileURLToPath(new URL('../../src/gateway/account.bench.ts', import.meta.url));

export function requestPart(): void {
  process.stdout.write('\none request through the gateway\n');
  const { status } = spawnSync(process.execPath, [...process.execArgv, file], { stdio: 'inherit' });
  if (status !== 0) throw new Error(`${file} ended with ${status}`);
}
