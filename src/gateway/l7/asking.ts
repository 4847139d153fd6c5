/**
 * The attempts of one exchange until one of them answers: the first, others after those that failed, and one beside a first that
 * takes long (a hedge).
 *
 * Invariants:
 * - Another attempt is made only of a request that is safe to repeat (`retry.ts`), within the service's budget, at an endpoint
 *   that has not been tried, and if it can begin before the exchange's time is over.
 * - There are two attempts at most at one time, and two only of a request that is here as a whole. The first answer counts; the
 *   other attempt is cancelled.
 * - A request that met a connection which had been closed while it was unused is sent again at once, on a new one. Its server may
 *   be well or dead, so another is asked if there is one, but for a client that is pinned to this one. It is paid from the budget
 *   like any other, because a server that resets every connection it has answered on looks the same, and would be asked twice for
 *   each request; or by that connection, if what it has answered before makes the share of one retry: when a server dies, all
 *   that are in flight on such connections are asked again, however many.
 *
 * Cost: nothing but a look for an exchange whose first attempt is answered; no allocation but for the first hedge it ever has.
 * Source: Dean and Barroso, The Tail at Scale (2013), for hedges; Brooker, Exponential Backoff And Jitter (2015).
 */
import { Deadline, type Timed } from '../../kernel/timer-wheel.ts';
import { NO_PASS } from '../breakers/service-breaker.ts';
import { endpointSlots, type Refusal, routeSlots } from '../slots.ts';
import { AttemptLog } from '../tracing/attempt-log.ts';
import { Attempt } from './attempt.ts';
import type { Endpoint } from './endpoint.ts';
import type { Exchange } from './exchange.ts';
import type { Head } from './head.ts';
import { backoffMs, isIdempotent, isRetriedStatus, mayRetry, retryAfterMs, type RetryReason } from './retry.ts';

const NOT = -1;

export class Asking implements Timed {
  /** The one that counts: under way, or the last. */
  attempt: Attempt;
  /** Attempts so far. */
  count = 0;
  /** Of the last one beyond the first. */
  reason: RetryReason = '';
  /** The attempts before the one that counts; null if this never had any that was traced. */
  log: AttemptLog | null = null;
  /** When the next attempt, or a hedge, is due. */
  readonly deadline = new Deadline(this);
  readonly #exchange: Exchange;
  /** Beside `attempt`. */
  #hedge: Attempt | null = null;
  /** The one that is not in use. */
  #spare: Attempt | null = null;
  /** The refusal if nobody is left when the wait is over; null: it is a hedge that is waited for. */
  #otherwise: Refusal | null = null;

  constructor(exchange: Exchange) {
    this.#exchange = exchange;
    this.attempt = new Attempt(exchange);
  }

  begin(): void {
    const { plane, service } = this.#exchange;
    this.count = 0;
    this.reason = '';
    if (this.log !== null) this.log.count = 0;
    this.attempt.reset();
    service.budget.requested(plane.nowMs);
  }

  /** `reuse` allows a connection that served others; `otherwise` is the refusal if no endpoint is left to try. */
  ask(reuse: boolean, otherwise: Refusal): void {
    const exchange = this.#exchange;
    const { attempt } = this;
    const { breaker } = exchange.service;
    const pass = breaker === null ? NO_PASS : breaker.ask();
    if (breaker !== null && pass === NO_PASS) {
      exchange.fail(this.count === 0 ? 'breaker_open' : otherwise);
      return;
    }
    const endpoint = exchange.service.pick(exchange);
    if (endpoint === null) {
      breaker?.giveBack(pass);
      exchange.fail(otherwise);
      return;
    }
    attempt.pass = pass;
    if (!this.#start(attempt, endpoint, reuse)) {
      exchange.fail('queue_full');
      return;
    }
    if (attempt.waiting && !exchange.request.done) exchange.client.wire.pause();
    if (this.count === 1 && exchange.service.plan.retries.hedgeAfterMs > 0) this.#awaitHedge();
  }

  #start(attempt: Attempt, endpoint: Endpoint, reuse: boolean): boolean {
    this.count++;
    attempt.number = this.count;
    attempt.reason = this.reason;
    if (this.count > 1) this.#exchange.plane.tracer.tellAttempt(this.#exchange, this.count);
    this.#exchange.tellDeadline();
    return attempt.start(endpoint, reuse);
  }

  /** `attempt` is over, and another is the one that counts. */
  #note(attempt: Attempt, outcome: number | string): void {
    const { plane } = this.#exchange;
    if (!plane.tracer.on) return;
    this.log ??= new AttemptLog();
    this.log.note(attempt, outcome, plane.nowMs);
  }

  /** An attempt is over without an answer, or with less than all of one; `repeatable`: as far as the attempt knows. */
  failed(attempt: Attempt, refusal: Refusal, repeatable: boolean): void {
    const exchange = this.#exchange;
    if (this.#hedge !== null) {
      this.#note(attempt, refusal);
      this.#leave(attempt);
      return;
    }
    this.#stopWaiting();
    if (!repeatable || !exchange.asking) {
      exchange.fail(refusal);
      return;
    }
    // It says nothing of its endpoint, but much of the other connections that are kept.
    if (attempt.reused && refusal === 'upstream_reset' && this.#mayRetry(attempt)) {
      const isEarned = attempt.answeredBefore * exchange.service.plan.retries.budgetShare >= 1;
      if (!isEarned && !this.#pay()) {
        exchange.fail(refusal);
        return;
      }
      this.#preferOthers(attempt);
      this.#note(attempt, refusal);
      this.#countRetry('stale_connection');
      this.ask(false, refusal);
      return;
    }
    const delayMs = this.#delay(attempt, 0);
    if (delayMs === NOT) exchange.fail(refusal);
    else {
      this.#note(attempt, refusal);
      this.#askAfter(delayMs, refusal);
    }
  }

  /** An attempt has an answer. False if it is not for the client: another attempt is made, or the other one counts. */
  answered(attempt: Attempt, head: Head, bytes: Uint8Array, to: number): boolean {
    const { service, upgrading } = this.#exchange;
    this.#stopWaiting();
    const unwanted = !upgrading && isRetriedStatus(head.status, service.plan.retries);
    if (this.#hedge !== null) {
      const left = unwanted ? attempt : this.#other(attempt);
      this.#note(left, unwanted ? head.status : 'overtaken');
      if (unwanted) attempt.discard(head, bytes, to);
      else left.overtaken();
      this.#leave(left);
      return !unwanted;
    }
    if (!unwanted) return true;
    const waitMs = retryAfterMs(head);
    const delayMs = waitMs > service.plan.retries.backoffMaxMs ? NOT : this.#delay(attempt, waitMs);
    if (delayMs === NOT) return true;
    this.#note(attempt, head.status);
    attempt.discard(head, bytes, to);
    this.#askAfter(delayMs, 'upstream_status');
    return false;
  }

  /** The client takes heads again. */
  readOn(): void {
    const { attempt } = this;
    const hedge = this.#hedge;
    attempt.onClientDrain();
    hedge?.onClientDrain();
  }

  /** The exchange has no more time. */
  outOfTime(): void {
    this.attempt.outOfTime();
    this.#hedge?.outOfTime();
  }

  end(): void {
    this.#stopWaiting();
    this.attempt.end();
    if (this.#hedge === null) return;
    this.#note(this.#hedge, 'overtaken');
    this.#hedge.end();
    this.#leave(this.#hedge);
  }

  /** Nobody will use it again. */
  discard(): void {
    const { shortWaits, wheel } = this.#exchange.plane;
    shortWaits.remove(this.deadline);
    wheel.remove(this.attempt.deadline);
    if (this.#spare !== null) wheel.remove(this.#spare.deadline);
  }

  // — Another attempt after one that failed

  #mayRetry(attempt: Attempt): boolean {
    return mayRetry(this.#exchange, attempt.sent, this.#exchange.service.plan.retries.attemptsMax);
  }

  /** How long to wait before another attempt, at least `waitMs`, or NOT. If it is to be, it is paid for and its endpoint left. */
  #delay(attempt: Attempt, waitMs: number): number {
    const exchange = this.#exchange;
    const { plane, service, tried } = exchange;
    if (!this.#mayRetry(attempt)) return NOT;
    const delayMs = Math.max(waitMs, backoffMs(this.count, service.plan.retries, plane.random));
    if (plane.nowMs + delayMs >= exchange.deadline.atMs) return NOT;
    if (attempt.endpoint !== null) tried.push(attempt.endpoint);
    // Nobody else is there, or the service is not to be asked: what this one said is what the client is told.
    return service.breaker?.isClosed !== false && service.hasLeft(exchange) && this.#pay() ? delayMs : NOT;
  }

  /** Than its endpoint, if there are any. */
  #preferOthers({ endpoint }: Attempt): void {
    const exchange = this.#exchange;
    const { pinned, service, tried } = exchange;
    if (endpoint === null || endpoint === pinned) return;
    tried.push(endpoint);
    if (!service.hasLeft(exchange)) tried.pop();
  }

  #pay(): boolean {
    const { plane, service } = this.#exchange;
    const isPaid = service.budget.take(service.plan.retries, plane.nowMs);
    if (!isPaid) {
      this.reason = 'budget';
      this.#exchange.count(routeSlots.retriesDenied, 1);
    }
    return isPaid;
  }

  #askAfter(delayMs: number, refusal: Refusal): void {
    const exchange = this.#exchange;
    this.#countRetry(refusal);
    if (delayMs < 1) this.ask(!exchange.expectsContinue, refusal);
    else {
      if (!exchange.request.done) exchange.client.wire.pause();
      this.#wait(delayMs, refusal);
    }
  }

  /** When it is decided, and not when it is made: who looks must not see one that has failed and is in no account. */
  #countRetry(reason: RetryReason): void {
    this.reason = reason;
    this.#exchange.count(routeSlots.retries, 1);
    this.attempt.count(endpointSlots.retries, 1);
  }

  // — Hedges

  #awaitHedge(): void {
    const exchange = this.#exchange;
    const { attemptsMax, hedgeAfterMs } = exchange.service.plan.retries;
    const isSafe = exchange.whole && !exchange.upgrading && isIdempotent(exchange.methodId);
    if (isSafe && exchange.asking && attemptsMax > 1) this.#wait(hedgeAfterMs, null);
  }

  #beginHedge(): void {
    const exchange = this.#exchange;
    const { attempt } = this;
    const { service, tried } = exchange;
    if (attempt.endpoint === null) return;
    tried.push(attempt.endpoint);
    // A trial has no permit for more of the same.
    const isTold = service.breaker?.isClosed !== false && service.hasLeft(exchange) && this.#pay();
    const endpoint = isTold ? service.pick(exchange) : null;
    if (endpoint === null) {
      // It is the only one there is, also for what may become of this attempt.
      tried.pop();
      return;
    }
    tried.push(endpoint);
    const hedge = this.#spare ?? new Attempt(exchange);
    this.#spare = null;
    this.#hedge = hedge;
    hedge.pass = service.breaker?.ask() ?? NO_PASS;
    this.reason = 'hedge';
    exchange.count(routeSlots.hedges, 1);
    if (!this.#start(hedge, endpoint, true)) this.#leave(hedge);
  }

  #other(attempt: Attempt): Attempt {
    return attempt === this.#hedge || this.#hedge === null ? this.attempt : this.#hedge;
  }

  /** `attempt`, one of two, is over: the other is the one that counts. */
  #leave(attempt: Attempt): void {
    this.attempt = this.#other(attempt);
    this.#hedge = null;
    this.#spare = attempt;
  }

  // — Waiting

  #wait(delayMs: number, otherwise: Refusal | null): void {
    const { plane } = this.#exchange;
    this.#otherwise = otherwise;
    plane.shortWaits.arm(this.deadline, plane.nowMs + delayMs);
  }

  #stopWaiting(): void {
    if (this.deadline.atMs !== Number.POSITIVE_INFINITY) this.#exchange.plane.shortWaits.disarm(this.deadline);
  }

  onDeadline(nowMs: number): void {
    const exchange = this.#exchange;
    exchange.plane.nowMs = nowMs;
    if (this.#otherwise === null) this.#beginHedge();
    else this.ask(!exchange.expectsContinue, this.#otherwise);
  }
}
