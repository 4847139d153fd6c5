/**
 * What a request to a server of `node:http` costs, bare and instrumented: CPU time of the server's process, which is another one. Contenders take turns;
 * a figure is the best of them. With no trace sampled, and with all.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';

const ROUNDS = 5;
const REQUESTS = 8_000;
/** At once, each on a connection of its own. */
const CLIENTS = 16;

const contenders = [
  ['bare', '0'],
  ['spillway', '0'],
  ['spillway', '1'],
  ['opentelemetry', '0'],
  ['opentelemetry', '1'],
] as const;

interface Contender {
  readonly name: string;
  readonly child: ChildProcess;
  readonly port: number;
  bestUs: number;
}

async function start([contender, sample]: (typeof contenders)[number]): Promise<Contender> {
  const child = fork(new URL('./instrument-server.ts', import.meta.url), [contender, sample], {
    execArgv: ['--conditions=spillway-source'],
  });
  const { port } = await new Promise<{ port: number }>((resolve, reject) => {
    child.once('message', (message) => resolve(message as { port: number }));
    child.once('exit', (code) => reject(new Error(`the server of ${contender} ended with ${code}`)));
  });
  const kept = contender === 'bare' ? '' : `, ${sample === '1' ? 'every' : 'no'} trace sampled`;
  return { name: `${contender}${kept}`, child, port, bestUs: Infinity };
}

async function cpuUs({ child }: Contender): Promise<number> {
  child.send('cpu');
  const [{ cpuUs: taken }] = (await once(child, 'message')) as [{ cpuUs: number }];
  return taken;
}

/** One connection: the next request when the answer before has come. */
async function ask(port: number, requests: number): Promise<void> {
  const socket = connect(port, '127.0.0.1');
  const text = 'GET /cart/42 HTTP/1.1\r\nhost: shop\r\n\r\n';
  let left = requests;
  socket.write(text);
  for await (const chunk of socket) {
    // An answer is a few hundred bytes, and comes in one piece.
    if (!String(chunk).endsWith('ok')) continue;
    left -= 1;
    if (left === 0) break;
    socket.write(text);
  }
  socket.destroy();
}

async function round(contender: Contender): Promise<void> {
  const before = await cpuUs(contender);
  await Promise.all(Array.from({ length: CLIENTS }, () => ask(contender.port, REQUESTS / CLIENTS)));
  contender.bestUs = Math.min(contender.bestUs, ((await cpuUs(contender)) - before) / REQUESTS);
}

export async function instrumentPart(): Promise<void> {
  const started = await Promise.all(contenders.map(start));
  try {
    for (let turn = 0; turn < ROUNDS; turn++) for (const contender of started) await round(contender);
  } finally {
    for (const { child } of started) child.kill();
  }
  process.stdout.write('\nCPU time of a request to node:http, in the server\n');
  const bare = started[0]!.bestUs;
  for (const { name, bestUs } of started) {
    const more = name === 'bare' ? '' : `, ${(bestUs - bare).toFixed(1)} more than bare`;
    process.stdout.write(`  ${name.padEnd(40)} ${bestUs.toFixed(1).padStart(6)} µs${more}\n`);
  }
}
