/** No proxy at all: what load generator and origin do by themselves, so that their part in a latency is known. */
import type { Contender } from '../contender.ts';

export const direct: Contender = {
  name: 'direct',
  abilities: [],
  version: async () => '-',
  start: async ({ origin: { port, duePort } }) => ({ port, tlsPort: 0, duePort, pids: () => [], stop: async () => {} }),
};
