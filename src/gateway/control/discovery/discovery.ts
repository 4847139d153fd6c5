/**
 * The endpoints of services that are not in the config: one source for each service with `discovery`, kept by what it asks where.
 *
 * A config that is about to be put in force is prepared: sources that it needs and nobody has yet are started, and given a moment
 * for their first answer. A source lives as long as a config that is in force, or on trial, asks the same of it; a reload that
 * leaves `discovery` of a service as it is changes nothing here; one that asks something else begins with the endpoints that were
 * known, until there is an answer.
 *
 * Invariants: what is known of a source changes only by `learn`; `onChange` is called only if the endpoints of one changed;
 * nothing is called after `close`.
 */
import { resolve } from 'node:path';
import { DnsClient } from '../../../drivers/dns/client.ts';
import type { Clock } from '../../../kernel/clock.ts';
import { SpillwayError } from '../../../kernel/errors.ts';
import type { Random } from '../../../kernel/random.ts';
import {
  describeDiscovery,
  type Discovery as DiscoveryPlan,
  type DnsDiscovery,
} from '../../config/discovery-schema.ts';
import type { EndpointListPlace } from '../../config/endpoint-list.ts';
import { endpointFaults, type Surroundings } from '../../config/endpoint-rules.ts';
import type { Config, FoundEndpoint } from '../../config/index.ts';
import { ownAddresses } from '../../config/load.ts';
import type { Service } from '../../config/service-schema.ts';
import type { GatewayEvent } from '../events.ts';
import type { DiscoveryState } from '../gateway-state.ts';
import { DnsSource } from './dns-source.ts';
import { changedEndpoints, type EndpointChange } from './endpoint-change.ts';
import { FileSource } from './file-source.ts';
import { ignorance, inherited, type Knowledge, type KnowledgePolicy, learn, type Outcome } from './knowledge.ts';
import type { Source } from './source.ts';

/** Two servers that do not answer within the default of 2 s each, and a little. After it a config is put in force without. */
const FIRST_ANSWER_MS = 5000;

export interface DiscoveryOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** What the system chose for listeners with port 0, by name; empty before they are open. */
  readonly ports: () => Readonly<Record<string, number>>;
  /** Of the admin API, once it is open; null without one. */
  readonly adminPort: () => number | null;
  /** Endpoints of some source are others now. */
  readonly onChange: () => void;
  readonly onEvent: (event: GatewayEvent) => void;
}

/** A source, and what is known from it. */
interface Known {
  readonly service: string;
  readonly plan: DiscoveryPlan;
  readonly place: () => EndpointListPlace;
  readonly policy: KnowledgePolicy;
  readonly asked: PromiseWithResolvers<void>;
  /** Wall time. */
  readonly sinceMs: number;
  knowledge: Knowledge;
  /** Null: it is told by the admin API. */
  source: Source | null;
}

export class Discovery {
  readonly #options: DiscoveryOptions;
  readonly #client: DnsClient;
  #known = new Map<string, Known>();
  #closed = false;

  constructor(options: DiscoveryOptions) {
    this.#options = options;
    this.#client = new DnsClient(options.clock);
  }

  /** Starts what the config needs; resolves when all of it has answered or failed once, or after `FIRST_ANSWER_MS`. */
  async prepare(config: Config): Promise<void> {
    const own = ownAddresses();
    const waits = config.services.flatMap((service) => {
      const known = this.#keep(service, config, own);
      return known === null ? [] : [known.asked.promise];
    });
    if (waits.length === 0) return;
    const { promise: late, resolve: giveUp } = Promise.withResolvers<void>();
    const timer = this.#options.clock.after(FIRST_ANSWER_MS, giveUp, { ref: true });
    await Promise.race([Promise.all(waits), late]);
    timer.clear();
  }

  /** Closes the sources that none of `configs` asks; of those that several ask, the first says what may be taken. */
  retain(configs: readonly Config[]): void {
    const own = ownAddresses();
    for (const config of configs.toReversed()) for (const service of config.services) this.#keep(service, config, own);
    const used = new Set(configs.flatMap((config) => config.services.map((service) => keyOf(service, config))));
    for (const [key, { source }] of this.#known) {
      if (used.has(key)) continue;
      source?.close();
      this.#known.delete(key);
    }
  }

  /** What is known for a service of `config`. */
  found(service: Service, config: Config): readonly FoundEndpoint[] {
    // The bound may be lower than when they were found.
    return this.#find(service, config)?.knowledge.endpoints?.slice(0, service.discovery?.max) ?? [];
  }

  /**
   * Takes what somebody says about a service of `config`; nothing is in force yet.
   * Throws `ENDPOINT_UNKNOWN`, `ENDPOINTS_ELSEWHERE` or `ENDPOINTS_INVALID`, and then nothing has changed.
   */
  change(name: string, change: EndpointChange, config: Config): void {
    const service = config.services.find((each) => each.name === name);
    if (service === undefined) {
      throw new SpillwayError('ENDPOINT_UNKNOWN', `There is no service ${JSON.stringify(name.slice(0, 100))}.`);
    }
    const known = this.#find(service, config);
    if (known?.plan.api !== true) {
      const { discovery } = service;
      const where = discovery === undefined ? 'the config' : describeDiscovery(discovery);
      throw new SpillwayError(
        'ENDPOINTS_ELSEWHERE',
        `Service ${name} has its endpoints from ${where}; with “discovery: { api: true }” it would take them from here.`,
      );
    }
    const { place, policy, knowledge } = known;
    const endpoints = changedEndpoints(knowledge.endpoints ?? [], change, { place: place(), ...policy });
    this.#learn(known, { endpoints, problem: null });
  }

  state(service: Service, config: Config): DiscoveryState | null {
    const known = this.#find(service, config);
    if (known === undefined) return null;
    const { clock } = this.#options;
    const { knowledge, plan, source } = known;
    const { endpoints, answeredAtMs, problem, leftOut, answers, failures } = knowledge;
    const nextAtMs = source?.nextAtMs ?? null;
    const wall = (ms: number): string => new Date(clock.wallMs() + ms - clock.nowMs()).toISOString();
    return {
      source: describeDiscovery(plan),
      since: new Date(known.sinceMs).toISOString(),
      endpoints: endpoints?.length ?? null,
      answeredAt: answeredAtMs === null ? null : wall(answeredAtMs),
      ageMs: answeredAtMs === null ? null : clock.nowMs() - answeredAtMs,
      nextAt: nextAtMs === null ? null : wall(nextAtMs),
      problem,
      leftOut,
      answers,
      failures,
    };
  }

  close(): void {
    this.#closed = true;
    for (const { source, asked } of this.#known.values()) {
      source?.close();
      asked.resolve();
    }
  }

  #find(service: Service, config: Config): Known | undefined {
    return this.#known.get(keyOf(service, config));
  }

  #keep(service: Service, config: Config, own: readonly string[]): Known | null {
    const { discovery: plan, name, allowLinkLocal } = service;
    if (plan === undefined || this.#closed) return null;
    const key = keyOf(service, config);
    // Anew each time: what listens on port 0 has its port only later.
    const around = (): Surroundings => ({ ...this.#listening(config), ownAddresses: own, allowLinkLocal });
    const policy: KnowledgePolicy = {
      max: plan.max,
      whenEmpty: plan.whenEmpty,
      fault: (address) => endpointFaults(address, around())[0]?.message ?? null,
    };
    const before = this.#known.get(key);
    const known: Known = {
      service: name,
      plan,
      place: () => ({ service: name, around: around() }),
      policy,
      asked: before?.asked ?? Promise.withResolvers(),
      sinceMs: before?.sinceMs ?? this.#options.clock.wallMs(),
      knowledge: before?.knowledge ?? inherited(this.#ofService(name), policy),
      source: before?.source ?? null,
    };
    this.#known.set(key, known);
    if (before === undefined) known.source = this.#start(key, plan, config);
    if (known.source === null) known.asked.resolve();
    return known;
  }

  /** Where a gateway with this config listens, as far as is known now. */
  #listening({ listeners, admin }: Config): Pick<Surroundings, 'listeners' | 'admin'> {
    const ports = this.#options.ports();
    const port = this.#options.adminPort();
    const address = admin?.address ?? null;
    return {
      listeners: listeners.map(({ name, address: at }) => ({
        ...at,
        port: at.port === 0 ? (ports[name] ?? 0) : at.port,
      })),
      admin: address?.kind === 'tcp' && address.port === 0 ? { ...address, port: port ?? 0 } : address,
    };
  }

  /** Of another question that a service of this name asks: what is in force, since that was there first. */
  #ofService(name: string): Knowledge {
    for (const { service, knowledge } of this.#known.values()) if (service === name) return knowledge;
    return ignorance;
  }

  #start(key: string, { dns, file }: DiscoveryPlan, { folder }: Config): Source | null {
    const { clock, random } = this.#options;
    const told = (outcome: Outcome): void => {
      const known = this.#known.get(key);
      if (known !== undefined) this.#learn(known, outcome);
    };
    const now = (): Known => this.#known.get(key)!;
    if (file !== undefined) {
      return new FileSource({ clock, path: resolve(folder, file), place: () => now().place(), told });
    }
    if (dns === undefined) return null;
    const plan = (): DnsDiscovery => now().plan.dns ?? dns;
    return new DnsSource({ clock, random, client: this.#client, plan, targetsMax: () => now().policy.max, told });
  }

  #learn(known: Known, outcome: Outcome): void {
    if (this.#closed) return;
    const before = known.knowledge;
    const after = learn(before, outcome, known.policy, this.#options.clock.nowMs());
    known.knowledge = after;
    known.asked.resolve();
    if (after.problem !== before.problem || after.leftOut.join('\n') !== before.leftOut.join('\n')) {
      const { problem, leftOut } = after;
      const source = describeDiscovery(known.plan);
      this.#options.onEvent({ kind: 'discovery', service: known.service, source, problem, leftOut });
    }
    if (after.endpoints !== before.endpoints) this.#options.onChange();
  }
}

/** What is asked where, for whom: as long as it is the same, so is what is known. */
function keyOf({ name, discovery, allowLinkLocal }: Service, { folder }: Config): string {
  if (discovery === undefined) return '';
  const { dns, file, api = null } = discovery;
  // Not how often and how patiently, which may change under it; but what was taken for one must not serve the other.
  const asked = dns === undefined ? null : [dns.name, dns.port, dns.srv, dns.family, dns.servers, allowLinkLocal];
  return JSON.stringify([name, asked, file === undefined ? null : resolve(folder, file), api]);
}
