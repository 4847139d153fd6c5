/**
 * What limits do to a request, whichever framework brought it: whom it counts for, whether it may go on, what the response says.
 *
 * - A request that is refused is a value (a status, fields, a body). An error is a mistake in the options, or of one of their functions.
 * - The signal of the caller is the life of the request: aborted once its response is done or nobody is there any more. Who is gone
 *   waits no longer and is not answered.
 * - Leases are renewed while the request lives and given back once when it ends, however it ends; also when the client left
 *   before the answer of the store was there.
 * - A limiter in shadow mode is not told to clients: a limit on trial must not slow them.
 *
 * What it is not: a door for WebSockets, whose upgrades reach no middleware.
 */
import { createHash } from 'node:crypto';

import type { Clock } from '../../kernel/clock.ts';
import { SpillwayError } from '../../kernel/errors.ts';
import type { Duration } from '../../kernel/units.ts';
import type { AllDecision, AllOf } from '../all-of.ts';
import { clientKey, type ClientKeyOptions } from '../client-key.ts';
import type { Decision } from '../decision.ts';
import { type FieldForm, type HeaderField, limitFields, refusalOf, type Report } from '../fields.ts';
import type { Leases, Limiter } from '../limiter.ts';
import { checkKeys, durationUs, invalid } from '../options.ts';

/** One limiter, or several that are taken from together. */
export type Limiters = Limiter | AllOf;

type MaybePromise<T> = T | Promise<T>;

/** `R` is what the framework calls a request. */
export interface LimitOptions<R> {
  /** Whom a request counts for: one key for all limiters, or one each. @defaultValue the client's address */
  readonly key?: (request: R) => MaybePromise<string | readonly string[]>;
  /** How the client's address is found and becomes a key, where no `key` says otherwise. */
  readonly client?: ClientKeyOptions;
  /** What a request costs: one number for all limiters, or one each. @defaultValue 1 */
  readonly cost?: (request: R) => MaybePromise<number | readonly number[]>;
  /** Requests that are not limited at all. @defaultValue none */
  readonly skip?: (request: R) => MaybePromise<boolean>;
  /**
   * How long a request may wait for its turn in place of being refused: `'500ms'`, or milliseconds. With one limiter only.
   * @defaultValue it does not wait
   */
  readonly maxWait?: Duration | number;
  /** Which fields tell clients how much is left; none if empty. @defaultValue 'draft' */
  readonly fields?: FieldForm | readonly FieldForm[];
  /**
   * Whether the fields say whose quota it is (`pk` of the draft): a hash of the limiter's name and the key, by which a client that acts for
   * several, or comes by several addresses, tells quotas apart. Whoever guesses a key can check the guess. @defaultValue false
   */
  readonly partition?: boolean;
  /**
   * Is told of each decision before anything is answered, for metrics and logs; its `source` says if the store was down, and
   * `shadowed` what a limit on trial would have refused.
   */
  readonly onDecision?: (decision: Decision | AllDecision, request: R) => void;
}

/** The other end of a connection, and what the fields of a request say of whom it speaks for; of several fields, joined by commas. */
export interface Peer {
  readonly address: string | undefined;
  readonly forwardedFor?: string | undefined;
  readonly forwarded?: string | undefined;
}

/** A request, as a framework's adapter describes it. */
export interface Caller<R> {
  /** For the functions of the options. */
  readonly request: R;
  /** Null if the framework does not know. */
  readonly peer: Peer | null;
  /** Aborted when the response is done, or can reach nobody any more. */
  readonly signal: AbortSignal;
}

export interface Verdict {
  /** For the response, whether it is the handler's or a refusal. */
  readonly fields: readonly HeaderField[];
  /** To be answered in the place of the handler; null if the request may go on. */
  readonly refusal: { readonly status: number; readonly body: string } | null;
  /** Whether something is held until the caller's signal is aborted. */
  readonly holds: boolean;
}

const FREE: Verdict = { fields: [], refusal: null, holds: false };

const FORMS: readonly FieldForm[] = ['draft', 'draft-7', 'draft-6', 'x-ratelimit'];

function readForms(given: FieldForm | readonly FieldForm[] = 'draft'): readonly FieldForm[] {
  const forms = typeof given === 'string' ? [given] : given;
  const unknown = forms.find((form) => !FORMS.includes(form));
  if (unknown !== undefined) {
    throw invalid(`limitRequest: fields has “${unknown}”; expected ${FORMS.join(', ')}.`);
  }
  if (forms.includes('draft') && forms.includes('draft-7')) {
    throw invalid('limitRequest: fields has draft and draft-7, which are two meanings of the same field; take one.');
  }
  return forms;
}

interface Lease {
  readonly limiter: Limiter & Leases;
  readonly key: string;
  readonly lease: number;
}

/** The longest that a timer of the machine can be set to. */
const PERIOD_MAX_MS = 2 ** 31 - 1;

/** Holds a lease until the signal: renewed three times in its time, so that one renewal may fail. */
function hold({ limiter, key, lease }: Lease, signal: AbortSignal): void {
  // What a store that is down does not hear it may hear next time; and a lease of which it hears no more ends by itself.
  const unheard = (): boolean => false;
  const release = (): void => {
    timer.clear();
    void limiter.release(key, lease).catch(unheard);
  };
  const { clock }: { readonly clock: Clock } = limiter.store;
  const periodMs = Math.min(limiter.algorithm.windowMs / 3, PERIOD_MAX_MS);
  const timer = clock.every(periodMs, () => void limiter.renew(key, lease).catch(unheard));
  if (signal.aborted) release();
  else signal.addEventListener('abort', release, { once: true });
}

class RequestLimits<R> {
  readonly #limiters: readonly Limiter[];
  readonly #limit: Limiters;
  readonly #options: LimitOptions<R>;
  readonly #clientKey: ReturnType<typeof clientKey>;
  readonly #forms: readonly FieldForm[];

  constructor(limit: Limiters, options: LimitOptions<R>) {
    checkKeys('limitRequest', options, [
      'key',
      'client',
      'cost',
      'skip',
      'maxWait',
      'fields',
      'partition',
      'onDecision',
    ]);
    if (typeof limit?.take !== 'function') {
      throw invalid('limitRequest: there is no limit; expected a limiter made by createLimiter, or allOf of several.');
    }
    const { key, client, maxWait, fields, partition } = options;
    this.#limit = limit;
    this.#limiters = 'limiters' in limit ? limit.limiters : [limit];
    this.#options = options;
    if (key !== undefined && client !== undefined) {
      throw invalid('limitRequest: there is a key, so no client address is asked for; leave out key or client.');
    }
    this.#clientKey = clientKey(client);
    this.#forms = readForms(fields);
    if (partition === true && !this.#forms.includes('draft'))
      throw invalid('limitRequest: partition is for the form draft, which is not among the fields.');
    if (maxWait === undefined) return;
    durationUs('limitRequest: maxWait', maxWait);
    if ('limiters' in limit) throw invalid('limitRequest: maxWait is for one limiter; several have no common queue.');
  }

  /** What becomes of a request; null if its client is gone. */
  async decide(caller: Caller<R>): Promise<Verdict | null> {
    const { request, signal } = caller;
    const { skip, key, cost, onDecision } = this.#options;
    if (signal.aborted) return null;
    if (skip !== undefined && (await skip(request))) return FREE;
    const keys = key === undefined ? this.#addressOf(caller) : await key(request);
    const costs = cost === undefined ? 1 : await cost(request);
    const decision = await this.#take(keys, costs, signal);
    if (decision === null) return null;
    const decisions = 'decisions' in decision ? decision.decisions : [decision];
    const leases = this.#leasesOf(decisions, keys);
    for (const lease of leases) hold(lease, signal);
    onDecision?.(decision, request);
    if (signal.aborted) return null;
    const fields = this.#fieldsOf(decisions, keys);
    const refusal = refusalOf(decisions);
    if (refusal === null) return { fields, refusal, holds: leases.length > 0 };
    const { status, body } = refusal;
    return { fields: [...fields, ...refusal.fields], refusal: { status, body }, holds: false };
  }

  #addressOf({ peer }: Caller<R>): string {
    if (peer !== null) {
      const byForwarded = this.#options.client?.proxyField === 'forwarded';
      return this.#clientKey(peer.address, byForwarded ? peer.forwarded : peer.forwardedFor);
    }
    throw new SpillwayError(
      'OPTIONS_INVALID',
      'The server does not say where a request comes from, so limits need a key: { key: (request) => … }.',
    );
  }

  /** Null if the client left meanwhile. */
  async #take(
    keys: string | readonly string[],
    cost: number | readonly number[],
    signal: AbortSignal,
  ): Promise<Decision | AllDecision | null> {
    const { maxWait } = this.#options;
    try {
      const limiter = this.#limit;
      if ('limiters' in limiter) return await limiter.take(keys, { cost, signal });
      const key = one('key', keys);
      const amount = one('cost', cost);
      if (maxWait !== undefined) return await limiter.wait(key, { cost: amount, maxWait, signal });
      return await limiter.take(key, { cost: amount, signal });
    } catch (error) {
      if (signal.aborted) return null;
      throw error;
    }
  }

  #leasesOf(decisions: readonly (Decision | null)[], keys: string | readonly string[]): Lease[] {
    return decisions.flatMap((decision, index) => {
      const lease = decision !== null && 'lease' in decision ? Number(decision.lease) : 0;
      if (lease === 0) return [];
      const limiter = this.#limiters[index] as Limiter & Leases;
      return [{ limiter, key: typeof keys === 'string' ? keys : keys[index]!, lease }];
    });
  }

  #fieldsOf(decisions: readonly (Decision | null)[], keys: string | readonly string[]): HeaderField[] {
    const reports = this.#limiters.flatMap((policy, index): Report[] => {
      if (policy.shadow) return [];
      const report = { policy, decision: decisions[index] ?? null };
      if (this.#options.partition !== true) return [report];
      return [{ ...report, partition: partitionOf(policy.name, typeof keys === 'string' ? keys : keys[index]!) }];
    });
    const wallMs = this.#limiters[0]!.store.clock.wallMs();
    return this.#forms.flatMap((form) => limitFields(form, reports, wallMs));
  }
}

/** Of 2^96: no two of a service's keys are the same. */
const PARTITION_BYTES = 12;

function partitionOf(name: string, key: string): Uint8Array {
  return createHash('sha256').update(`${name}\0${key}`).digest().subarray(0, PARTITION_BYTES);
}

function one<T extends string | number>(what: string, given: T | readonly T[]): T {
  if (typeof given !== 'object') return given;
  if (given.length === 1) return given[0]!;
  throw invalid(`limitRequest: ${given.length} ${what}s for one limiter; expected one.`);
}

/**
 * Limits for the requests of a server, for an adapter to a framework that has none here. It answers null if the client is gone and
 * nothing need be done.
 *
 * @example
 * const decide = limitRequest(createLimiter({ name: 'api', algorithm: tokenBucket({ capacity: 1, refillPerSecond: 1 }) }));
 * const caller = { request: null, peer: { address: '192.0.2.1', forwardedFor: undefined }, signal: new AbortController().signal };
 * const first = await decide(caller);
 * const second = await decide(caller);
 * console.log(first?.refusal, second?.refusal?.status); // null 429
 */
export function limitRequest<R>(
  limit: Limiters,
  options: LimitOptions<R> = {},
): (caller: Caller<R>) => Promise<Verdict | null> {
  const limits = new RequestLimits(limit, options);
  return async (caller) => limits.decide(caller);
}
