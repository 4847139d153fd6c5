/** A process under test that has one of its own, and says which. */
import { WorkerProcess } from './processes.ts';
import { answerQuestions, say } from './worker.ts';

const child = new WorkerProcess(new URL('clocks-process.ts', import.meta.url));
await child.ask({ verb: 'clocks' });
say({ pid: child.pid });
await answerQuestions(() => null);
