/** OpenMetrics as the parser of Prometheus in Python reads it, which is strict: Debian's, in whichever Python there is. */
import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { serverFile, serverPath } from '../../scripts/servers.ts';

const program = `
import sys, json
from prometheus_client.openmetrics.parser import text_string_to_metric_families
text = sys.stdin.buffer.read().decode('utf-8')
print(json.dumps([[f.name, f.type, f.documentation, [[s.name, s.labels, s.value,
  s.exemplar and [s.exemplar.labels, s.exemplar.value]] for s in f.samples]] for f in text_string_to_metric_families(text)]))
`;

export interface PythonReading {
  /** 0 if nothing is wrong with the page. */
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export function readInPython(input: string): PythonReading {
  const env = { PYTHONPATH: resolve(serverFile('openmetrics'), '../../..'), PYTHONIOENCODING: 'utf-8' };
  return spawnSync(serverPath('openmetrics'), ['-c', program], {
    input,
    encoding: 'utf8',
    env: { ...process.env, ...env },
    maxBuffer: 2 ** 26,
  });
}
