/** The middleware on real frameworks and real sockets: what a client sees, and what becomes of slots whatever it does. */
import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { Agent, type IncomingHttpHeaders, request as sendRequest } from 'node:http';
import { describe, test } from 'node:test';
import { allOf, concurrency, createLimiter, fixedWindow, memoryStore, tokenBucket } from '../../src/limit/index.ts';
import { frameworks, type Service } from './frameworks.ts';

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  readonly reused: boolean;
}

interface Sent {
  readonly method?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string;
  readonly agent?: Agent;
  readonly signal?: AbortSignal;
}

async function send({ port }: Service, { body, agent, ...rest }: Sent = {}): Promise<Answer> {
  const request = sendRequest({ port, host: '127.0.0.1', agent: agent ?? false, ...rest });
  request.end(body);
  const [response] = await once(request, 'response');
  let text = '';
  for await (const chunk of response) text += String(chunk);
  return { status: response.statusCode, headers: response.headers, text, reused: request.reusedSocket };
}

/** Requests in a handler, which answers when the test says so. */
class HeldWork extends EventEmitter {
  readonly begun: PromiseWithResolvers<string>[] = [];

  readonly run = async (): Promise<string> => {
    const work = Promise.withResolvers<string>();
    this.begun.push(work);
    this.emit('change');
    return work.promise;
  };

  async reaches(count: number): Promise<void> {
    while (this.begun.length < count) await once(this, 'change');
  }
}

/** One slot, and what was given back of it. */
class Slot extends EventEmitter {
  readonly limiter = createLimiter({ name: 'slot', algorithm: concurrency({ limit: 1, lease: '1h' }) });
  readonly given: boolean[] = [];

  constructor() {
    super();
    const { limiter } = this;
    const release = limiter.release.bind(limiter);
    limiter.release = async (key, lease) => {
      const held = await release(key, lease);
      this.given.push(held);
      this.emit('change');
      return held;
    };
  }

  async givenBack(times: number): Promise<void> {
    while (this.given.length < times) await once(this, 'change');
    assert.deepEqual(
      this.given,
      Array.from({ length: times }, () => true),
    );
  }
}

const hello = async (): Promise<string> => 'hello';
const perYear = (limit: number) => fixedWindow({ limit, per: '366d' });

for (const [name, start] of Object.entries(frameworks)) {
  describe(name, () => {
    test('who may go on is told what is left; who may not, when', async () => {
      const limiter = createLimiter({ name: 'api', algorithm: perYear(2) });
      let ran = 0;
      await using service = await start({ work: async () => `hello ${++ran}`, limits: [limiter] });
      const first = await send(service);
      assert.equal(first.status, 200);
      assert.equal(first.text, 'hello 1');
      assert.equal(first.headers['ratelimit-policy'], '"api";q=2;w=31622400');
      assert.match(String(first.headers['ratelimit']), /^"api";r=1;t=\d+$/);
      assert.equal(first.headers['retry-after'], undefined);
      await send(service);
      const refused = await send(service);
      assert.equal(refused.status, 429);
      assert.equal(refused.headers['content-type'], 'application/problem+json');
      const retryAfter = Number(refused.headers['retry-after']);
      assert.ok(retryAfter >= 1 && retryAfter <= 366 * 86_400);
      assert.equal(refused.headers['ratelimit'], `"api";r=0;t=${retryAfter}`);
      const problem = JSON.parse(refused.text) as Record<string, unknown>;
      assert.equal(problem['type'], 'https://iana.org/assignments/http-problem-types#quota-exceeded');
      assert.equal(problem['status'], 429);
      assert.deepEqual(problem['violated-policies'], ['api']);
      assert.equal(ran, 2, 'what is refused is not done');
      const head = await send(service, { method: 'HEAD' });
      assert.equal(head.status, 429);
      assert.equal(head.text, '');
      assert.equal(head.headers['retry-after'], head.headers['ratelimit']?.toString().split('t=')[1]);
    });

    test('a connection goes on after a refusal, also of a request with a body', async () => {
      const limiter = createLimiter({ name: 'api', algorithm: perYear(1) });
      await using service = await start({ work: hello, limits: [limiter], options: { byUser: true } });
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      const answers: Answer[] = [];
      for (const user of ['ann', 'ann', 'bob']) {
        const headers = { 'x-user': user, 'content-type': 'text/plain' };
        answers.push(await send(service, { agent, headers, method: 'POST', body: 'x'.repeat(9000) }));
      }
      agent.destroy();
      assert.deepEqual(
        answers.map(({ status, reused }) => [status, reused]),
        [
          [200, false],
          [429, true],
          [200, true],
        ],
      );
    });

    test('of many at once exactly the limit goes on', async () => {
      const limiter = createLimiter({ name: 'api', algorithm: perYear(50) });
      await using service = await start({ work: hello, limits: [limiter] });
      const answers = await Promise.all(Array.from({ length: 200 }, () => send(service)));
      assert.equal(answers.filter(({ status }) => status === 200).length, 50);
      assert.equal(answers.filter(({ status }) => status === 429).length, 150);
    });

    test('a slot is given back once, when the response is done and when the handler fails', async () => {
      const work = new HeldWork();
      const slot = new Slot();
      await using service = await start({ work: work.run, limits: [slot.limiter] });
      for (const round of [0, 1]) {
        const first = send(service);
        await work.reaches(round + 1);
        const refused = await send(service);
        assert.equal(refused.status, 429);
        assert.equal(refused.headers['ratelimit-policy'], '"slot";q=1;qu="concurrent-requests"');
        if (round === 0) work.begun[0]!.resolve('done');
        else work.begun[1]!.reject(new Error('broken'));
        assert.equal((await first).status, round === 0 ? 200 : 500);
        await slot.givenBack(round + 1);
      }
    });

    test('the slot of a client that goes away is given back once, and its handler may end later', async () => {
      const work = new HeldWork();
      const slot = new Slot();
      await using service = await start({ work: work.run, limits: [slot.limiter] });
      const away = new AbortController();
      const gone = send(service, { signal: away.signal });
      await work.reaches(1);
      away.abort();
      await assert.rejects(gone, { name: 'AbortError' });
      await slot.givenBack(1);
      const next = send(service);
      await work.reaches(2);
      for (const each of work.begun) each.resolve('done');
      assert.equal((await next).status, 200);
      await slot.givenBack(2);
    });

    test('who waits for a turn gets it; who goes away meanwhile waits no longer', async () => {
      const work = new HeldWork();
      const slot = new Slot();
      const { limiter } = slot;
      await using service = await start({ work: work.run, limits: [limiter], options: { maxWait: '1m' } });
      const first = send(service);
      await work.reaches(1);
      const waits = new EventEmitter();
      const wait = limiter.wait.bind(limiter);
      limiter.wait = async (key, options) => {
        options?.signal?.addEventListener('abort', () => waits.emit('gone'));
        const decision = wait(key, options);
        waits.emit('begun');
        return decision;
      };
      const away = new AbortController();
      const begun = once(waits, 'begun');
      const second = send(service, { signal: away.signal });
      await begun;
      const left = once(waits, 'gone');
      away.abort();
      await assert.rejects(second, { name: 'AbortError' });
      await left;
      const third = send(service);
      work.begun[0]!.resolve('done');
      await first;
      await work.reaches(2);
      work.begun[1]!.resolve('mine');
      assert.equal((await third).text, 'mine');
      await slot.givenBack(2);
    });

    test('several limits are taken from together, and told together', async () => {
      const store = memoryStore();
      const perUser = createLimiter({ name: 'user', algorithm: perYear(2), store });
      const everybody = createLimiter({ name: 'all', algorithm: perYear(3), store });
      const options = { byUser: true, byCost: true, fields: ['draft', 'x-ratelimit'] as const };
      await using service = await start({ work: hello, limits: [allOf(perUser, everybody)], options });
      const ask = async (user: string, cost: string): Promise<Answer> =>
        send(service, { headers: { 'x-user': user, 'x-cost': cost } });
      const first = await ask('ann', '2');
      assert.match(String(first.headers['ratelimit']), /^"user";r=0;t=\d+, "all";r=1;t=\d+$/);
      assert.equal(first.headers['x-ratelimit-remaining'], '0');
      const refused = await ask('ann', '1');
      assert.equal(refused.status, 429);
      assert.deepEqual(JSON.parse(refused.text)['violated-policies'], ['user']);
      const never = await ask('bob', '9');
      assert.equal(never.status, 429);
      assert.equal(never.headers['retry-after'], undefined, 'waiting does not help');
      assert.equal(everybody.peekSync('ann').remaining, 1);
    });

    test('limits one behind the other are all told', async () => {
      const outer = createLimiter({ name: 'outer', algorithm: perYear(9) });
      const inner = createLimiter({ name: 'inner', algorithm: perYear(1) });
      await using service = await start({ work: hello, limits: [outer, inner] });
      for (const status of [200, 429]) {
        const answer = await send(service);
        assert.equal(answer.status, status);
        const policies = String(answer.headers['ratelimit-policy']).split(', ').toSorted();
        assert.deepEqual(policies, ['"inner";q=1;w=31622400', '"outer";q=9;w=31622400']);
      }
    });

    test('the client is the one that a trusted proxy names', async () => {
      const limiter = createLimiter({ name: 'api', algorithm: perYear(1) });
      const options = { client: { trustedProxies: ['127.0.0.1'] } };
      await using service = await start({ work: hello, limits: [limiter], options });
      const from = async (client: string): Promise<number> =>
        (await send(service, { headers: { 'x-forwarded-for': client } })).status;
      assert.equal(await from('203.0.113.1, 198.51.100.1'), 200);
      assert.equal(await from('203.0.113.2, 198.51.100.1'), 429);
      assert.equal(await from('2001:db8::1'), 200);
      assert.equal(await from('2001:db8::2'), 429);
      assert.equal(limiter.peekSync('127.0.0.1').remaining, 1);
    });

    test('or in Forwarded, if they write that, and then not in the other field', async () => {
      const limiter = createLimiter({ name: 'perClient', algorithm: perYear(1) });
      const options = { client: { trustedProxies: ['127.0.0.1'], proxyField: 'forwarded' as const } };
      await using service = await start({ work: hello, limits: [limiter], options });
      const from = async (forwarded: string, forwardedFor: string): Promise<number> =>
        (await send(service, { headers: { forwarded, 'x-forwarded-for': forwardedFor } })).status;
      assert.equal(await from('for=203.0.113.1, for=198.51.100.1;proto=https', '192.0.2.1'), 200);
      assert.equal(await from('for=203.0.113.2, for="198.51.100.1:4711"', '192.0.2.2'), 429);
      assert.equal(limiter.peekSync('127.0.0.1').remaining, 1);
    });

    test('a limit on trial refuses nobody and is not told', async () => {
      const limiter = createLimiter({ name: 'trial', algorithm: perYear(1), shadow: true });
      const shadowed: boolean[] = [];
      const options = { onDecision: (decision: { shadowed: boolean }) => void shadowed.push(decision.shadowed) };
      await using service = await start({ work: hello, limits: [limiter], options });
      for (const _ of [1, 2]) {
        const { status, headers } = await send(service);
        assert.equal(status, 200);
        assert.equal(headers['ratelimit'], undefined);
      }
      assert.deepEqual(shadowed, [false, true]);
    });

    test('what is skipped is not counted; a key that is none is an error of the service', async () => {
      const limiter = createLimiter({ name: 'api', algorithm: tokenBucket({ capacity: 1, refillPerSecond: 0.001 }) });
      const options = { byUser: true, skipHealth: true };
      await using service = await start({ work: hello, limits: [limiter], options });
      for (const _ of [1, 2]) assert.equal((await send(service, { headers: { 'x-health': '1' } })).status, 200);
      assert.equal(limiter.counts.allowed, 0);
      assert.equal((await send(service)).status, 500);
      assert.equal((await send(service, { headers: { 'x-user': 'ann' } })).status, 200);
    });
  });
}
