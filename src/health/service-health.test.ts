/**
 * Whole services on simulated time: requests arrive by chance, several workers record what came of them, the control thread
 * evaluates when it is due or when a row is full. Each test is a night that an operator knows.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '../kernel/random.ts';
import { initialHealth, step, type CheckResult, type HealthState } from './active.ts';
import { defaultEjectionPolicy, TRIAL_SHARE } from './ejection.ts';
import { defaultEligibilityPolicy } from './eligible.ts';
import { defaultPassivePolicy } from './passive.ts';
import { ServiceHealth, type Evaluation, type HealthPolicy } from './service-health.ts';
import { createTrafficCell, TrafficRecorder, trafficResults, type TrafficResult } from './traffic.ts';

const { answer, serverError, refused, answerTimeout } = trafficResults;
const defaults: HealthPolicy = {
  passive: defaultPassivePolicy,
  ejection: defaultEjectionPolicy,
  eligibility: defaultEligibilityPolicy,
};

interface Outcome {
  /** Null: the client left, the hedge was cancelled, we had no room. Nothing to record. */
  readonly result: TrafficResult | null;
  /** Until the result is known, and what is recorded as the time of the answer. */
  readonly ms: number;
}

/** How a server does at a time. */
type Server = (nowMs: number, chance: () => number) => Outcome;

const WORKERS = 3;
const CHECK_EVERY_MS = 1_000;

interface Options {
  readonly perSecond?: number;
  readonly policy?: HealthPolicy;
  /** What a check of a server finds; absent: nothing is checked. */
  readonly check?: (server: number, nowMs: number) => CheckResult;
}

class Night {
  readonly transitions: { atMs: number; server: number; from: string; to: string; reason: string }[] = [];
  readonly failOpen: string[] = [];
  readonly requests: number[];
  last: Evaluation;
  nowMs = 0;
  failures = 0;
  readonly #servers: readonly Server[];
  readonly #options: Options;
  readonly #health: ServiceHealth;
  readonly #recorders: readonly TrafficRecorder[][];
  readonly #random = seededRandom(7);
  readonly #actives: (HealthState | null)[];
  #pending: { atMs: number; server: number; worker: number; outcome: Outcome }[] = [];
  #nextRequestMs = 0;
  #nextEvaluationMs = 0;
  #nextCheckMs = 0;

  constructor(servers: readonly Server[], options: Options = {}) {
    const policy = options.policy ?? defaults;
    const cells = servers.map(() => createTrafficCell(WORKERS));
    this.#servers = servers;
    this.#options = options;
    this.requests = servers.map(() => 0);
    this.#actives = servers.map(() => (options.check === undefined ? null : initialHealth(0)));
    this.#recorders = cells.map((cell) =>
      Array.from(
        { length: WORKERS },
        (_, lane) => new TrafficRecorder({ cell, lane, row: policy.passive!.consecutive }),
      ),
    );
    const members = cells.map((traffic, index) => ({ id: String(index), weight: 1, backup: false, traffic }));
    this.#health = new ServiceHealth(policy, members, 0);
    this.last = this.#evaluate();
  }

  conditions(): string[] {
    return this.last.endpoints.map(({ health }) => health.condition);
  }

  /** What became of a server, in order. */
  fate(server: number): string[] {
    return this.transitions.filter((one) => one.server === server).map(({ to }) => to);
  }

  until(endMs: number): this {
    while (this.nowMs < endMs) {
      const soonest = this.#pending[0]?.atMs ?? Number.POSITIVE_INFINITY;
      const checkMs = this.#options.check === undefined ? Number.POSITIVE_INFINITY : this.#nextCheckMs;
      this.nowMs = Math.min(endMs, soonest, this.#nextRequestMs, this.#nextEvaluationMs, checkMs);
      if (this.nowMs >= checkMs) this.#check();
      if (this.nowMs >= this.#nextEvaluationMs) this.#evaluate();
      while ((this.#pending[0]?.atMs ?? Number.POSITIVE_INFINITY) <= this.nowMs) this.#finish();
      if (this.nowMs >= this.#nextRequestMs) this.#begin();
    }
    return this;
  }

  #begin(): void {
    const chance = () => this.#random.unit();
    this.#nextRequestMs = this.nowMs + (-Math.log(1 - chance()) * 1_000) / (this.#options.perSecond ?? 200);
    const server = this.#pick();
    if (server < 0) return;
    this.requests[server]! += 1;
    const outcome = this.#servers[server]!(this.nowMs, chance);
    const pending = { atMs: this.nowMs + outcome.ms, server, worker: Math.floor(chance() * WORKERS), outcome };
    const at = this.#pending.findIndex(({ atMs }) => atMs > pending.atMs);
    this.#pending.splice(at < 0 ? this.#pending.length : at, 0, pending);
  }

  /** By chance among those that get traffic; who is on trial gets the share of it that it should. */
  #pick(): number {
    const shares = this.last.endpoints.map(({ eligibility, health }) => {
      if (eligibility === 'out' || eligibility === 'waiting') return 0;
      return health.condition === 'trial' ? TRIAL_SHARE : 1;
    });
    let left = this.#random.unit() * shares.reduce<number>((sum, share) => sum + share, 0);
    return shares.findIndex((share) => share > 0 && (left -= share) < 0);
  }

  #finish(): void {
    const { server, worker, outcome } = this.#pending.shift()!;
    if (outcome.result === null) return;
    if (outcome.result !== answer) this.failures += 1;
    if (this.#recorders[server]![worker]!.record(outcome.result, outcome.ms)) this.#evaluate();
  }

  #check(): void {
    this.#nextCheckMs = this.nowMs + CHECK_EVERY_MS;
    for (const [server, active] of this.#actives.entries()) {
      const result = this.#options.check!(server, this.nowMs);
      this.#actives[server] = step(active!, result, { unhealthyAfter: 3, healthyAfter: 1 }, this.nowMs).state;
    }
    this.#evaluate();
  }

  #evaluate(): Evaluation {
    this.last = this.#health.evaluate((id) => this.#actives[Number(id)]!, this.nowMs);
    this.#nextEvaluationMs = this.last.againMs ?? Number.POSITIVE_INFINITY;
    for (const [server, { transition }] of this.last.endpoints.entries()) {
      if (transition !== null) this.transitions.push({ atMs: this.nowMs, server, ...transition });
    }
    const { failOpen } = this.last;
    if (failOpen !== null && failOpen !== this.failOpen.at(-1)) this.failOpen.push(failOpen);
    return this.last;
  }
}

const well: Server = (_nowMs, chance) => ({ result: answer, ms: 15 + 10 * chance() });
const dead: Server = () => ({ result: refused, ms: 1 });
const five = (server: Server): Server[] => [server, server, server, server, server];
const between =
  (from: number, to: number, bad: Server): Server =>
  (nowMs, chance) =>
    (nowMs >= from && nowMs < to ? bad : well)(nowMs, chance);

test('one that dies is out after five failed requests, and back soon after it lives', () => {
  const night = new Night([well, well, between(10_000, 60_000, dead), well]).until(10_000);
  const before = night.requests[2]!;
  night.until(11_000);
  assert.deepEqual(night.conditions(), ['unknown', 'unknown', 'ejected', 'unknown']);
  assert.equal(night.transitions[0]!.reason, '5 errors in a row: 502 connection refused');
  assert.ok(night.requests[2]! - before <= 8, 'five, and what was on the way');
  night.until(60_000);
  // 5 + 10 + 15 + 20 s: four ejections in the 50 s, a trial of three after each.
  assert.ok(night.failures <= 5 + 3 + 4 * 4, `${night.failures} requests failed`);
  night.until(90_000);
  assert.equal(night.conditions()[2], 'up');
  assert.deepEqual(night.fate(0), []);
});

test('one that fails fast is out within a second, though it answers every time', () => {
  const broken: Server = (_nowMs, chance) => ({ result: chance() < 0.9 ? serverError : answer, ms: 1 });
  const night = new Night([well, between(5_000, 1e9, broken), well]).until(7_000);
  assert.equal(night.conditions()[1], 'ejected');
  assert.match(night.transitions[0]!.reason, /^\d+ % of \d+ requests failed, mostly status 5xx; 0 % at the 2 others$/);
  assert.ok(night.transitions[0]!.atMs <= 6_500);
});

test('one that is slow is out, the reason has the numbers, and traffic tries it again', () => {
  const slow: Server = (_nowMs, chance) => ({ result: answer, ms: 800 + 100 * chance() });
  const night = new Night([well, well, between(60_000, 200_000, slow), well, well]).until(70_000);
  assert.equal(night.conditions()[2], 'ejected');
  assert.match(night.transitions[0]!.reason, /^p50 of \d+ ms, \d+\.\d times the median \d\d ms of the 4 others$/);
  night.until(300_000);
  assert.equal(night.conditions()[2], 'up');
  assert.deepEqual(
    [0, 1, 3, 4].flatMap((server) => night.fate(server)),
    [],
  );
});

test('one that flaps is out for longer each time', () => {
  const flapping: Server = (nowMs, chance) => (nowMs % 8_000 < 4_000 ? well : dead)(nowMs, chance);
  const night = new Night([well, well, flapping]).until(600_000);
  const outs = night.transitions.filter(({ to }) => to === 'ejected').map(({ atMs }) => atMs);
  assert.ok(outs.length < 20, `${outs.length} ejections; a fixed time would make some 70`);
  assert.ok(night.requests[2]! < night.requests[0]! / 4);
});

test('when all fail alike nobody is ejected, and all are there when the cause is gone', () => {
  const database: Server = () => ({ result: serverError, ms: 5 });
  const night = new Night(five(between(5_000, 60_000, database))).until(61_000);
  assert.deepEqual(night.transitions, []);

  const network = new Night(five(between(5_000, 60_000, dead))).until(59_000);
  assert.ok(network.last.endpoints.every(({ eligibility }) => eligibility === 'in'));
  assert.match(
    network.last.endpoints[0]!.spared ?? '',
    /502 connection refused; in use all the same: no other is better/,
  );
  const { failures } = network.until(60_100);
  network.until(61_500);
  assert.deepEqual(network.failures, failures);
  assert.ok(network.last.endpoints.every(({ eligibility }) => eligibility === 'in'));
});

test('of two, the one that fails is out and the other stays, also when it times out later', () => {
  const hanging: Server = () => ({ result: answerTimeout, ms: 2_000 });
  const night = new Night([dead, between(20_000, 40_000, hanging)]).until(15_000);
  assert.deepEqual(
    night.last.endpoints.map(({ eligibility }) => eligibility),
    ['out', 'in'],
  );
  night.until(35_000);
  assert.equal(night.last.endpoints[1]!.eligibility, 'in');
  assert.deepEqual(night.fate(1), []);
  night.until(60_000);
  assert.deepEqual(
    night.last.endpoints.map(({ eligibility }) => eligibility),
    ['out', 'in'],
  );
});

test('slow clients, clients that leave, and our own limits are no results, so they take nobody out', () => {
  const names = Object.keys(trafficResults).join(' ');
  assert.doesNotMatch(names, /client|abort|queue|limit|hedge|stale|pool/i);
  const halfOfThemLeave: Server = (nowMs, chance) =>
    chance() < 0.5 ? { result: null, ms: 30_000 } : well(nowMs, chance);
  const night = new Night([well, well, halfOfThemLeave, well, well]).until(120_000);
  assert.deepEqual(night.transitions, []);
});

test('a health page that breaks everywhere does not take the service down, and it is said', () => {
  const pageOf = (_server: number, nowMs: number): CheckResult =>
    nowMs < 10_000
      ? { kind: 'success', reason: 'status 200' }
      : { kind: 'failure', code: 'status', reason: 'status 500, expected 200-299' };
  const night = new Night([...five(well), well], { check: pageOf }).until(20_000);
  assert.ok(night.last.endpoints.every(({ eligibility }) => eligibility === 'kept'));
  assert.match(night.failOpen.at(-1) ?? '', /^6 of 6 endpoints are out; 0% of the weight is left, below 20%/);
  assert.equal(night.failures, 0);
});

test('checks and traffic make one story of one endpoint', () => {
  const gone = (nowMs: number) => nowMs >= 10_000 && nowMs < 60_000;
  const checkOf = (server: number, nowMs: number): CheckResult =>
    server === 1 && gone(nowMs)
      ? { kind: 'failure', code: 'connection', reason: 'connection refused' }
      : { kind: 'success', reason: 'status 200' };
  const night = new Night([well, between(10_000, 60_000, dead), well], { check: checkOf }).until(100_000);
  assert.deepEqual(
    night.transitions.filter(({ server }) => server === 1).map(({ from, to, reason }) => [from, to, reason]),
    [
      ['unknown', 'up', 'status 200'],
      ['up', 'ejected', '5 errors in a row: 502 connection refused'],
      ['ejected', 'down', 'connection refused'],
      ['down', 'up', 'status 200'],
    ],
  );
});

test('what was counted while a server fell is not held against the one that came back', () => {
  const cells = [createTrafficCell(1), createTrafficCell(1)];
  const members = cells.map((traffic, index) => ({ id: String(index), weight: 1, backup: false, traffic }));
  const health = new ServiceHealth(defaults, members, 0);
  const recorder = new TrafficRecorder({ cell: cells[0]!, lane: 0, row: null });
  const up: HealthState = { ...initialHealth(0), health: 'up' };
  const conditionWhen = (first: HealthState, nowMs: number) =>
    health.evaluate((id) => (id === '0' ? first : up), nowMs).endpoints[0]!.health.condition;
  const down: HealthState = { ...up, health: 'down', sinceMs: 10 };
  assert.equal(conditionWhen(down, 10), 'down');
  for (let error = 0; error < 50; error++) recorder.record(refused, 0);
  assert.equal(conditionWhen({ ...up, sinceMs: 500 }, 500), 'up');
  for (let error = 0; error < 5; error++) recorder.record(refused, 0);
  assert.equal(conditionWhen({ ...up, sinceMs: 500 }, 510), 'ejected');
});

test('a new config keeps what is known of an endpoint that stays, and forgets the others', () => {
  const cells = [createTrafficCell(1), createTrafficCell(1), createTrafficCell(1)];
  const members = cells.map((traffic, index) => ({ id: `s${index}`, weight: 1, backup: false, traffic }));
  const health = new ServiceHealth(defaults, members.slice(0, 2), 5);
  const recorder = new TrafficRecorder({ cell: cells[0]!, lane: 0, row: defaultPassivePolicy.consecutive });
  for (let error = 0; error < 5; error++) recorder.record(refused, 0);
  assert.equal(health.evaluate(() => null, 9).endpoints[0]!.transition?.afterMs, 4, 'since it was added');
  const conditions = (nowMs: number) =>
    health.evaluate(() => null, nowMs).endpoints.map(({ id, health: { condition } }) => [id, condition]);
  assert.deepEqual(conditions(10), [
    ['s0', 'ejected'],
    ['s1', 'unknown'],
  ]);
  health.update(defaults, [members[2]!, members[0]!], 20);
  assert.deepEqual(conditions(30), [
    ['s2', 'unknown'],
    ['s0', 'ejected'],
  ]);
  health.update(defaults, [members[2]!, { ...members[0]!, traffic: createTrafficCell(1) }], 40);
  assert.equal(conditions(50)[1]![1], 'unknown', 'another cell is another endpoint');
  health.update({ ...defaults, passive: null }, members, 60);
  const quiet = health.evaluate(() => null, 70);
  assert.deepEqual([quiet.endpoints[0]!.health.condition, quiet.againMs], ['unknown', null]);
});
