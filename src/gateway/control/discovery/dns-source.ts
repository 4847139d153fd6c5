/**
 * Endpoints by DNS: asks what is due, round by round, and tells what all answers come to. The rules are in `dns-question.ts` and
 * `dns-endpoints.ts`; the packets in `src/drivers/dns`.
 *
 * Invariants: one round at a time; every question that counts has been asked once before anything is told; nothing is told after
 * `close`, and no socket is left.
 */
import { readFile } from 'node:fs/promises';
import type { DnsClient, DnsServer } from '../../../drivers/dns/client.ts';
import type { DnsQuestion } from '../../../drivers/dns/message.ts';
import { nameServersIn } from '../../../drivers/dns/resolv-conf.ts';
import type { Clock, Timer } from '../../../kernel/clock.ts';
import type { Random } from '../../../kernel/random.ts';
import { DNS_PORT, type DnsDiscovery } from '../../config/discovery-schema.ts';
import { type Answers, endpointsIn, questionsOf } from './dns-endpoints.ts';
import { newQuestion, type QuestionState, replied, type Reply } from './dns-question.ts';
import type { Outcome } from './knowledge.ts';
import type { Source } from './source.ts';

/** Questions that are due so soon after the first are asked with it: the two families of a name stay together. */
const TOGETHER_MS = 50;

export interface DnsSourceOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly client: Pick<DnsClient, 'ask'>;
  /** As the config in force has it: times may change, what is asked does not. */
  readonly plan: () => DnsDiscovery;
  /** Names in SRV records that are looked up. */
  readonly targetsMax: () => number;
  readonly told: (outcome: Outcome) => void;
}

interface Asked {
  readonly question: DnsQuestion;
  state: QuestionState;
}

export class DnsSource implements Source {
  readonly #options: DnsSourceOptions;
  readonly #closing = new AbortController();
  #asked = new Map<string, Asked>();
  #timer: Timer | null = null;

  constructor(options: DnsSourceOptions) {
    this.#options = options;
    void this.#round();
  }

  get nextAtMs(): number | null {
    const due = [...this.#asked.values()].map(({ state }) => state.dueMs);
    return due.length === 0 ? null : Math.min(...due);
  }

  close(): void {
    this.#closing.abort();
    this.#timer?.clear();
  }

  async #round(): Promise<void> {
    const { clock, told } = this.#options;
    const { signal } = this.#closing;
    const servers = await this.#servers();
    if (signal.aborted) return;
    // What an SRV record names is new then, and asked in the same round; from there nothing leads further.
    for (let due = this.#due(); due.length > 0; due = this.#due().filter(isNew)) {
      await Promise.all(due.map((asked) => this.#ask(asked, servers)));
      if (signal.aborted) return;
    }
    told(this.#outcome());
    this.#timer = clock.after(Math.max(1, (this.nextAtMs ?? 0) - clock.nowMs()), () => void this.#round());
  }

  /** What is due, after questions that nothing leads to any more were forgotten and new ones were added. */
  #due(): Asked[] {
    const { clock, plan, targetsMax } = this.#options;
    const nowMs = clock.nowMs();
    const before = this.#asked;
    this.#asked = new Map(
      questionsOf(plan(), this.#answers, targetsMax()).map((question) => {
        const key = keyOf(question);
        return [key, before.get(key) ?? { question, state: newQuestion(nowMs) }];
      }),
    );
    return [...this.#asked.values()].filter(({ state }) => state.dueMs <= nowMs + TOGETHER_MS);
  }

  async #ask(asked: Asked, servers: readonly DnsServer[]): Promise<void> {
    const { clock, random, client, plan } = this.#options;
    const { timeout: timeoutMs, refresh } = plan();
    const reply = await client.ask(asked.question, { servers, timeoutMs, signal: this.#closing.signal }).then(
      ({ records, ttlS, exists }): Reply =>
        records.length > 0 ? { kind: 'records', records, ttlMs: ttlS * 1000 } : { kind: 'none', exists },
      (error: unknown): Reply => ({ kind: 'failure', reason: error instanceof Error ? error.message : String(error) }),
    );
    const policy = { minMs: refresh.min, maxMs: refresh.max };
    asked.state = replied(asked.state, reply, policy, { nowMs: clock.nowMs(), random });
  }

  readonly #answers: Answers = (question) => this.#asked.get(keyOf(question))?.state.records ?? null;

  #outcome(): Outcome {
    const all = [...this.#asked.values()];
    const endpoints = endpointsIn(this.#options.plan(), this.#answers);
    const failures = all.flatMap(({ state: { failure } }) => (failure === null ? [] : [failure]));
    const named = Map.groupBy(all, ({ question }) => question.name);
    const missing = [...named].flatMap(([name, asked]) =>
      asked.every(({ state }) => state.records?.length === 0) && asked.some(({ state }) => state.isMissing)
        ? [`${name} does not exist (NXDOMAIN)`]
        : [],
    );
    const problem = [...new Set([...failures, ...missing])].join('; ');
    return {
      // Nothing is known to be gone while somebody has not answered.
      endpoints: endpoints.length === 0 && failures.length > 0 ? null : endpoints,
      problem: problem === '' ? null : problem,
    };
  }

  /** Read anew each time: a machine that moves to another network gets other servers. */
  async #servers(): Promise<readonly DnsServer[]> {
    const { servers } = this.#options.plan();
    if (servers !== undefined) return servers;
    const text = await readFile('/etc/resolv.conf', 'utf8').catch(() => '');
    return nameServersIn(text).map((host) => ({ host, port: DNS_PORT }));
  }
}

function isNew({ state: { records, misses } }: Asked): boolean {
  return records === null && misses === 0;
}

function keyOf({ name, type }: DnsQuestion): string {
  return `${type} ${name}`;
}
