/** Where gateways of tests keep what is their user's, such as the token of the admin API: not in the home of whoever runs the tests. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

let folder: string | null = null;

/** From now on it is in a folder of this process, also for what it starts; removed when it ends. */
export function useOwnStateFolder(): string {
  if (folder !== null) return folder;
  const made = mkdtempSync(join(tmpdir(), 'spillway-state-'));
  process.env['XDG_STATE_HOME'] = made;
  delete process.env['STATE_DIRECTORY'];
  process.on('exit', () => rmSync(made, { recursive: true, force: true }));
  folder = made;
  return made;
}
