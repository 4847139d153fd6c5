/** The example servers as child processes: started, started again when one was killed, ended with us. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const serverFile = fileURLToPath(new URL('server.ts', import.meta.url));
/** Long enough to see it missing, short enough to wait for its return. */
const AGAIN_MS = 10_000;

/** Starts one server for each port, with what else it is to know. `say` is told when one ends and when it is back. */
export async function startServers(
  ports: readonly number[],
  more: readonly string[],
  say: (line: string) => void,
): Promise<AsyncDisposable> {
  const children = new Map<number, ChildProcess>();
  const timers = new Set<NodeJS.Timeout>();
  let ending = false;

  const start = async (port: number): Promise<void> => {
    const child = spawn(process.execPath, ['--conditions=spillway-source', serverFile, String(port), ...more], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    children.set(port, child);
    child.on('error', (error) => say(`server ${port} could not be started: ${error.message}`));
    child.on('exit', (_code, signal) => {
      if (ending) return;
      say(`server ${port} ended${signal === null ? '' : ` by ${signal}`}; it is started again in ${AGAIN_MS / 1000} s`);
      const timer = setTimeout(() => {
        timers.delete(timer);
        void start(port).then(() => say(`server ${port} is back`));
      }, AGAIN_MS);
      timers.add(timer);
    });
    // A child that could not be spawned has said so above.
    await Promise.race([once(child, 'message'), once(child, 'exit')]).catch(() => null);
  };

  await Promise.all(ports.map(start));
  return {
    async [Symbol.asyncDispose]() {
      ending = true;
      for (const timer of timers) clearTimeout(timer);
      const running = [...children.values()].filter(
        ({ exitCode, signalCode }) => exitCode === null && signalCode === null,
      );
      await Promise.all(
        running.map((child) => {
          const gone = once(child, 'exit');
          child.kill('SIGKILL'); // an example has nothing to save
          return gone;
        }),
      );
    },
  };
}
