/** A client of etcd that tells what it was asked for, and loses an answer when it is told to. */
import { EtcdClient } from '../../src/lease/index.ts';
import { SpillwayError } from '../../src/kernel/errors.ts';

const verbs = ['range', 'put', 'delete', 'txn', 'grant', 'keepAlive', 'revoke'] as const;
export type Verb = (typeof verbs)[number];

interface Counted {
  readonly client: EtcdClient;
  readonly asked: Verb[];
  /** The kind of question whose next answer is lost. */
  lose: Verb | null;
}

export function countedClient(url: string): Counted {
  const client = new EtcdClient({ endpoints: [url] });
  const counted: Counted = { client, asked: [], lose: null };
  for (const verb of verbs) {
    const original = client[verb].bind(client) as (...args: unknown[]) => Promise<unknown>;
    const value = async (...args: unknown[]): Promise<unknown> => {
      counted.asked.push(verb);
      const answer = await original(...args);
      if (counted.lose !== verb) return answer;
      counted.lose = null;
      throw new SpillwayError('STORE_UNSURE', 'nobody knows');
    };
    Object.defineProperty(client, verb, { value, writable: true });
  }
  return counted;
}

let prefixes = 0;

/** A prefix that no other store of this process has. */
export function freshPrefix(): string {
  prefixes += 1;
  return `test-${prefixes}`;
}
