/** The process of one subject: makes it, and does as many takes as it is told, each time it is told; answers with their CPU time. */
import { keysOf } from './keys.ts';
import { cpuMs, type Job, type Subjects } from './turns.ts';

const { file, name, keys } = JSON.parse(process.argv[2]!) as Job;
const { subjects } = (await import(file)) as { readonly subjects: Subjects };
const run = await subjects[name]!(keysOf(keys));

async function turn(takes: number): Promise<void> {
  const before = cpuMs();
  await run(takes);
  process.send!(cpuMs() - before);
}

process.on('message', (takes: number) => void turn(takes));
