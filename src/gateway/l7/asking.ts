/**
 * The attempts of one exchange until one of them answers: the first, others after those that failed, and one beside a first that
 * takes long (a hedge).
 *
 * Invariants:
 * - Another attempt is made only of a request that is safe to repeat (`retry.ts`), within the service's budget, at an endpoint
 *   that has not been tried, and if it can begin before the exchange's time is over.
 * - There are two attempts at most at one time, and two only of a request that is here as a whole. The first answer counts; the
 *   other attempt is cancelled.
 * - What a connection that was closed while it was unused did to a request costs nothing: it is sent again at once, on a new one.
 *
 * Cost: nothing but a look for an exchange whose first attempt is answered; a timer for each wait.
 */
import type { Timer } from '../../kernel/clock.ts';
import { endpointSlots, type Refusal, routeSlots } from '../slots.ts';
import { Attempt } from './attempt.ts';
import type { Exchange } from './exchange.ts';
import { type Head, LENGTH, NONE } from './head.ts';
import { backoffMs, isIdempotent, isRetriedStatus, mayRetry, retryAfterMs } from './retry.ts';

const NOT = -1;

export class Asking {
  /** The one that counts: under way, or the last. */
  attempt: Attempt;
  /** Attempts so far. */
  count = 0;
  readonly #exchange: Exchange;
  /** Beside `attempt`. */
  #hedge: Attempt | null = null;
  /** The one that is not in use. */
  #spare: Attempt | null = null;
  /** Until the next attempt, or until a hedge. */
  #timer: Timer | null = null;

  constructor(exchange: Exchange) {
    this.#exchange = exchange;
    this.attempt = new Attempt(exchange);
  }

  begin(): void {
    const exchange = this.#exchange;
    const { plane, service } = exchange;
    this.count = 0;
    this.attempt.reset();
    service.budget.requested(plane.nowMs);
  }

  /** `reuse` allows a connection that served others; `otherwise` is the refusal if no endpoint is left to try. */
  ask(reuse: boolean, otherwise: Refusal): void {
    const exchange = this.#exchange;
    const { attempt } = this;
    const endpoint = exchange.service.pick(exchange);
    if (endpoint === null) {
      exchange.fail(otherwise);
      return;
    }
    this.count++;
    exchange.tellDeadline();
    if (!attempt.start(endpoint, reuse)) {
      exchange.fail('queue_full');
      return;
    }
    if (attempt.waiting && !exchange.request.done) exchange.client.wire.pause();
    const { hedgeAfterMs } = exchange.service.plan.retries;
    if (hedgeAfterMs > 0 && this.count === 1 && exchange.asking) this.#after(hedgeAfterMs, () => this.#beginHedge());
  }

  /** An attempt is over without an answer, or with less than all of one; `repeatable`: as far as the attempt knows. */
  failed(attempt: Attempt, refusal: Refusal, repeatable: boolean): void {
    const exchange = this.#exchange;
    const hedge = this.#hedge;
    if (hedge !== null) {
      this.#goOnWith(attempt === hedge ? this.attempt : hedge);
      return;
    }
    if (!repeatable || !exchange.asking) {
      exchange.fail(refusal);
      return;
    }
    // It says nothing of its endpoint, but much of the other connections that are kept.
    if (attempt.reused && refusal === 'upstream_reset' && mayRetry(exchange, attempt.sent, this.#attemptsMax)) {
      this.#stopWaiting();
      this.#countRetry();
      this.ask(false, refusal);
      return;
    }
    const delayMs = this.#delay(attempt.sent, 0);
    if (delayMs === NOT) exchange.fail(refusal);
    else this.#askAfter(delayMs, refusal);
  }

  /** An attempt has an answer. False if it is not for the client: another attempt is made, or the other one counts. */
  answered(attempt: Attempt, head: Head, to: number): boolean {
    const { service, upgrading } = this.#exchange;
    const retried = !upgrading && isRetriedStatus(head.status, service.plan.retries);
    const hedge = this.#hedge;
    if (hedge !== null) {
      this.#goOnWith(retried === (attempt === hedge) ? this.attempt : hedge);
      return !retried;
    }
    if (retried && this.#askInstead(head, to)) return false;
    this.#stopWaiting();
    return true;
  }

  end(): void {
    this.#stopWaiting();
    this.attempt.end();
    if (this.#hedge !== null) this.#goOnWith(this.attempt);
  }

  /** Nobody will use it again. */
  discard(): void {
    const { wheel } = this.#exchange.plane;
    wheel.remove(this.attempt);
    if (this.#spare !== null) wheel.remove(this.#spare);
  }

  get #attemptsMax(): number {
    return this.#exchange.service.plan.retries.attemptsMax;
  }

  /** How long to wait before another attempt, at least `waitMs`, or NOT. Has paid for it, and left the endpoint, if it is to be. */
  #delay(sent: boolean, waitMs: number): number {
    const exchange = this.#exchange;
    const { plane, service, tried } = exchange;
    const { retries } = service.plan;
    if (!mayRetry(exchange, sent, retries.attemptsMax)) return NOT;
    const delayMs = Math.max(waitMs, backoffMs(this.count, retries, plane.random));
    if (plane.nowMs + delayMs >= exchange.deadlineMs) return NOT;
    const { endpoint } = this.attempt;
    if (endpoint !== null) tried.push(endpoint);
    // Nobody else is there: what this one said is what the client is told.
    if (service.pick(exchange) === null) {
      tried.pop();
      return NOT;
    }
    return this.#pay() ? delayMs : NOT;
  }

  #pay(): boolean {
    const { plane, service } = this.#exchange;
    const isPaid = service.budget.take(service.plan.retries, plane.nowMs);
    if (!isPaid) this.#exchange.count(routeSlots.retriesDenied, 1);
    return isPaid;
  }

  #askAfter(delayMs: number, refusal: Refusal): void {
    const exchange = this.#exchange;
    const again = (): void => this.ask(!exchange.expectsContinue, refusal);
    this.#stopWaiting();
    this.#countRetry();
    if (delayMs < 1) again();
    else {
      if (!exchange.request.done) exchange.client.wire.pause();
      this.#after(delayMs, again);
    }
  }

  /** Drops an answer and asks elsewhere. Its connection is kept if all of the answer is here. */
  #askInstead(head: Head, to: number): boolean {
    const { attempt } = this;
    const waitMs = retryAfterMs(head);
    if (waitMs > this.#exchange.service.plan.retries.backoffMaxMs) return false;
    const delayMs = this.#delay(true, waitMs);
    if (delayMs === NOT) return false;
    const isHere =
      head.bodyKind === NONE ? head.end === to : head.bodyKind === LENGTH && head.contentLength === to - head.end;
    attempt.reusable = head.keepAlive && isHere;
    attempt.release();
    this.#askAfter(delayMs, 'upstream_status');
    return true;
  }

  /** When it is decided, and not when it is made: who looks must not see one that has failed and is in no account. */
  #countRetry(): void {
    this.#exchange.count(routeSlots.retries, 1);
    this.attempt.count(endpointSlots.retries, 1);
  }

  // — Hedges

  #beginHedge(): void {
    const exchange = this.#exchange;
    const { attempt } = this;
    const isSafe = exchange.whole && !exchange.upgrading && isIdempotent(exchange.methodId);
    if (!isSafe || attempt.endpoint === null || this.count >= this.#attemptsMax) return;
    exchange.tried.push(attempt.endpoint);
    const endpoint = exchange.service.pick(exchange);
    if (endpoint === null || !this.#pay()) return;
    const hedge = this.#spare ?? new Attempt(exchange);
    this.#spare = null;
    this.#hedge = hedge;
    this.count++;
    exchange.count(routeSlots.hedges, 1);
    if (!hedge.start(endpoint, true)) this.#goOnWith(attempt);
  }

  /** Of the two attempts `attempt` is left; the other is cancelled. */
  #goOnWith(attempt: Attempt): void {
    const other = attempt === this.attempt ? this.#hedge : this.attempt;
    this.attempt = attempt;
    this.#hedge = null;
    this.#spare = other;
    other?.end();
  }

  // — Waiting

  #after(delayMs: number, run: () => void): void {
    const exchange = this.#exchange;
    this.#timer = exchange.plane.clock.after(delayMs, () => {
      this.#timer = null;
      exchange.plane.tick();
      if (exchange.asking) run();
    });
  }

  #stopWaiting(): void {
    this.#timer?.clear();
    this.#timer = null;
  }
}
