/** Requests that keep going while something else happens, and what became of each. */
import { Agent, request } from 'node:http';

export interface SteadyLoad {
  requests: number;
  readonly failures: string[];
  stop(): Promise<void>;
}

/** Keeps requests going, one at a time on each of `lanes`, over kept connections or a new one each. */
export function steadyLoad(address: string, lanes: number, keepAlive: boolean): SteadyLoad {
  const [host, port] = address.split(':');
  const agent = new Agent({ keepAlive, maxSockets: lanes });
  const stopping = new AbortController();
  const one = (): Promise<string> =>
    new Promise((resolve) => {
      const sent = request({ host, port, agent, method: 'POST', path: '/x' }, (response) => {
        let body = '';
        response.setEncoding('latin1');
        response.on('data', (chunk: string) => (body += chunk));
        response.on('error', (error) => resolve(`broken: ${error.message}`));
        response.on('end', () => resolve(response.statusCode === 200 ? body : `status ${response.statusCode}`));
      });
      sent.on('error', (error) => resolve(`error: ${error.message}`));
      // POST is never sent twice by the gateway, so no retry can hide a lost request.
      sent.end('body');
    });
  const state: SteadyLoad = {
    requests: 0,
    failures: [],
    stop: async () => {
      stopping.abort();
      await all;
      agent.destroy();
    },
  };
  const lane = async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      const answer = await one();
      state.requests += 1;
      if (!/^[abc]$/.test(answer)) state.failures.push(answer);
    }
  };
  const all = Promise.all(Array.from({ length: lanes }, lane));
  return state;
}
