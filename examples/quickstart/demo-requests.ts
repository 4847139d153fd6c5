/**
 * A light stream of requests, so that there is something to see: ten a second, for ten minutes at most. Most are quick, some wait for a
 * slow page, and more reports are asked for than the limit of the config lets pass.
 */
import { Agent, get } from 'node:http';

const PERIOD_MS = 100;
const REQUESTS_MAX = 6000;
/** Requests between two lines of summary: 10 s. */
const SUMMARY_REQUESTS = 100;
/** In turn. */
const paths = ['/api/hello', '/', '/api/hello', '/api/search', '/api/hello', '/', '/api/report', '/api/hello'];
/** A slow answer does not hold up the others. */
const WAITING_MAX = 8;

export interface DemoRequests {
  stop(): void;
}

/** Sends requests to `origin` and says now and then who answered. */
export function sendDemoRequests(origin: string, say: (line: string) => void): DemoRequests {
  const agent = new Agent({ keepAlive: true, maxSockets: WAITING_MAX });
  const answers = new Map<string, number>();
  let sent = 0;
  let waiting = 0;

  const count = (who: string): void => {
    waiting--;
    answers.set(who, (answers.get(who) ?? 0) + 1);
    const total = [...answers.values()].reduce((sum, one) => sum + one, 0);
    if (total < SUMMARY_REQUESTS) return;
    const parts = [...answers].toSorted(([a], [b]) => a.localeCompare(b)).map(([name, times]) => `${name}: ${times}`);
    say(`${total} demo requests answered by ${parts.join(', ')}`);
    answers.clear();
  };

  const timer = setInterval(() => {
    if (waiting === WAITING_MAX) return; // a slow gateway is not pressed further
    if (sent === REQUESTS_MAX) {
      say(`${sent} demo requests were sent; that is all of them. The gateway goes on.`);
      stop();
      return;
    }
    const path = paths[sent++ % paths.length];
    waiting++;
    const request = get(`${origin}${path}?n=${sent}`, { agent, timeout: 5000 }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => (text += chunk));
      response.on('error', () => count('broken'));
      response.on('end', () => {
        const server = /server (\d+)/.exec(text)?.[1];
        if (response.statusCode === 429) count('the limit of reports');
        else count(response.statusCode === 200 && server !== undefined ? server : `status ${response.statusCode}`);
      });
    });
    request.on('timeout', () => request.destroy());
    request.on('error', () => count('failed'));
  }, PERIOD_MS);

  function stop(): void {
    clearInterval(timer);
    agent.destroy();
  }
  return { stop };
}
