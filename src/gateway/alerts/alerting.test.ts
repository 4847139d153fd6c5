/** Alerts on their way to real receivers: taken, refused, slow, gone for a while, and leading elsewhere. Time is simulated. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { halfSpent } from '../../../test/slo/half-spent.ts';
import { createRandom } from '../../kernel/random.ts';
import { SimulatedClock } from '../../kernel/simulated-clock.ts';
import { type AlertExplanation, explainAlert } from '../../observe/slo/alerts/explanation.ts';
import type { SloStatus } from '../../observe/slo/live/status.ts';
import { Alerting, type AlertReceiver } from './alerting.ts';
import { Outbox } from './outbox.ts';
import { postJson } from './post-json.ts';
import { readTold } from './told-file.ts';

/** A server that takes what it is sent; `answer` is asked for the status of each. */
class Receiver implements AsyncDisposable {
  readonly #server: Server;
  readonly bodies: unknown[] = [];
  #wanted: { readonly count: number; readonly done: () => void }[] = [];

  private constructor(answer: (request: IncomingMessage, response: ServerResponse) => void) {
    this.#server = createServer((request, response) => {
      let text = '';
      request.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      request.on('end', () => {
        this.bodies.push(JSON.parse(text));
        answer(request, response);
        for (const { count, done } of this.#wanted) if (this.bodies.length >= count) done();
      });
    });
  }

  static async start(answer: (request: IncomingMessage, response: ServerResponse) => void = (_, to) => void to.end()) {
    const receiver = new Receiver(answer);
    receiver.#server.listen(0, '127.0.0.1');
    await once(receiver.#server, 'listening');
    return receiver;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Resolves when it was sent that many. */
  async got(count: number): Promise<readonly unknown[]> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wanted.push({ count, done: resolve });
    if (this.bodies.length < count) await promise;
    return this.bodies;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.close();
    this.#server.closeAllConnections();
    await once(this.#server, 'close');
  }
}

const clock = () => new SimulatedClock();
const random = createRandom();

function statusOf(id: string, firing: readonly number[], sinceMs: number): SloStatus {
  const kinds = [
    [14.4, 'page'],
    [3, 'ticket'],
  ] as const;
  return halfSpent({
    id,
    alerts: kinds.map(([burn, severity]) => ({
      ...{ burn, severity, longS: 3600, shortS: 300, sinceMs, longShare: 0.5, shortShare: 0.5 },
      state: firing.includes(burn) ? 'firing' : 'inactive',
    })),
  });
}

function alertingTo(receivers: readonly AlertReceiver[], time = clock()) {
  const notices: string[] = [];
  const alerting = new Alerting({
    ...{ clock: time, random, onNotice: (_, message) => notices.push(message) },
    explain: (status, alert, state): AlertExplanation =>
      explainAlert({ status, alert, state, nowMs: time.wallMs(), beganMs: null, contributions: [], changes: [] }),
  });
  alerting.replace(receivers);
  const pass = (seconds: number, ...firing: readonly number[]): void => {
    for (let second = 0; second < seconds; second += 1) {
      alerting.step([statusOf('shop-up', firing, time.wallMs())]);
      time.pass(1000);
    }
  };
  return { alerting, pass, notices, time };
}

test('each receiver gets what it is for, in its shape, and the end of it', async () => {
  await using webhook = await Receiver.start();
  await using slack = await Receiver.start();
  await using pages = await Receiver.start();
  const { alerting, pass } = alertingTo([
    { name: 'a', kind: 'webhook', url: webhook.url, on: 'all' },
    { name: 'b', kind: 'slack', url: slack.url, on: 'all' },
    { name: 'c', kind: 'webhook', url: pages.url, on: 'page' },
  ]);
  pass(20, 3);
  pass(20, 14.4, 3);
  pass(5);
  const sent = (await webhook.got(3)) as AlertExplanation[];
  assert.deepEqual(
    sent.map(({ state, severity, burn }) => [state, severity, burn]),
    [
      ['firing', 'ticket', 3],
      ['firing', 'page', 14.4],
      ['resolved', 'page', 14.4],
    ],
  );
  assert.match(JSON.stringify(await slack.got(3)), /"text":"TICKET shop-up spends/);
  assert.deepEqual(
    ((await pages.got(2)) as AlertExplanation[]).map(({ state }) => state),
    ['firing', 'resolved'],
  );
  await alerting.close();
});

test('Alertmanager is told each minute what is on, and at each change', async () => {
  await using manager = await Receiver.start((request, response) => {
    assert.equal(request.url, '/prefix/api/v2/alerts');
    response.end();
  });
  const { alerting, pass } = alertingTo([
    { name: 'am', kind: 'alertmanager', url: `${manager.url}/prefix/`, on: 'all' },
  ]);
  type Sent = { readonly labels: { readonly burn: string }; readonly startsAt: string; readonly endsAt: string }[];
  const burns = async (count: number): Promise<string> =>
    ((await manager.got(count)) as Sent[])
      .at(-1)!
      .map((each) => each.labels.burn)
      .join(' ');
  pass(2, 14.4);
  assert.equal(await burns(1), '14.4');
  pass(61, 14.4);
  assert.equal(await burns(2), '14.4');
  pass(1, 14.4, 3);
  assert.equal(await burns(3), '14.4 3');
  pass(1, 3);
  assert.equal(await burns(4), '3 14.4', 'the one that ended is told with its end');
  const [going, ended] = (manager.bodies as Sent[]).at(-1)!;
  assert.ok(Date.parse(going!.endsAt) - Date.parse(ended!.endsAt) === 240_000);
  await alerting.close();
});

test('a receiver that is down gets what it missed, in its order, and it is said once', async () => {
  let status = 503;
  await using receiver = await Receiver.start((_, response) => void response.writeHead(status).end());
  const time = clock();
  const notices: string[] = [];
  const said = Promise.withResolvers<void>();
  const well = Promise.withResolvers<void>();
  const outbox = new Outbox({
    ...{ name: 'oncall', url: receiver.url, clock: time, random },
    onNotice: (level, message) => {
      notices.push(`${level} ${message}`);
      if (level === 'warn') said.resolve();
      if (level === 'info') well.resolve();
    },
  });
  outbox.add({ at: 1 });
  outbox.add({ at: 2 });
  await said.promise;
  status = 204;
  time.pass(120_000);
  await receiver.got(3);
  await well.promise;
  await receiver.got(3);
  assert.deepEqual(receiver.bodies.slice(0, 3), [{ at: 1 }, { at: 1 }, { at: 2 }]);
  assert.deepEqual(notices, [
    'warn Alerts cannot be sent to oncall: status 503. It is tried again.',
    'info Alerts are sent to oncall again.',
  ]);
  outbox.close();
});

test('what waits is bounded: the newest are kept, and one that says all takes the place of all', async () => {
  await using receiver = await Receiver.start((_, response) => void response.writeHead(503).end());
  const time = clock();
  const outbox = new Outbox({ name: 'x', url: receiver.url, clock: time, random, onNotice: () => {} });
  for (let at = 0; at < 500; at += 1) outbox.add({ at });
  assert.equal(outbox.length, 100);
  outbox.add({ at: 'all' }, { whole: true });
  assert.ok(outbox.length <= 2);
  outbox.close();
  assert.equal(outbox.length, 0);
  assert.equal(time.timers, 0);
});

test('what a receiver refuses is not sent again; what it says is not read, however long', async () => {
  await using refusing = await Receiver.start((_, response) => void response.writeHead(404).end());
  assert.deepEqual(await postJson(refusing.url, '{}', new AbortController().signal), {
    kind: 'refused',
    reason: 'status 404',
  });
  await using endless = await Receiver.start((_, response) => {
    response.writeHead(200);
    response.on('error', () => {});
    const more = (): void => void (response.closed || response.write('x'.repeat(65_536), () => setImmediate(more)));
    more();
  });
  assert.deepEqual(await postJson(endless.url, '{}', new AbortController().signal), { kind: 'done' });
  await using busy = await Receiver.start((_, response) => void response.writeHead(429, { 'Retry-After': '7' }).end());
  const later = await postJson(busy.url, '{}', new AbortController().signal);
  assert.deepEqual(later, { kind: 'later', reason: 'status 429', afterMs: 7000 });
});

test('an address that cannot be asked is refused, and ends nothing', async () => {
  const { signal } = new AbortController();
  const url = 'http://user:half%w@127.0.0.1:9/';
  const delivery = await postJson(url, '{}', signal);
  assert.equal(delivery.kind, 'refused');
  assert.doesNotMatch(JSON.stringify(delivery), /half/);
});

test('it leads nowhere else: no redirect is followed, and no link-local address or name of one is asked', async () => {
  await using inside = await Receiver.start();
  await using leading = await Receiver.start(
    (_, response) => void response.writeHead(307, { Location: inside.url }).end(),
  );
  const { signal } = new AbortController();
  assert.deepEqual(await postJson(leading.url, '{}', signal), { kind: 'refused', reason: 'status 307' });
  assert.equal(inside.bodies.length, 0);
  for (const url of ['http://169.254.169.254/latest', 'http://[fe80::1]/', 'http://metadata.google.internal/']) {
    assert.equal((await postJson(url, '{}', signal)).kind, 'refused', url);
  }
});

test('a receiver with another address begins anew, and one with the same goes on', async () => {
  await using one = await Receiver.start();
  await using other = await Receiver.start();
  const { alerting, pass } = alertingTo([{ name: 'a', kind: 'webhook', url: one.url, on: 'all' }]);
  pass(20, 14.4);
  await one.got(1);
  alerting.replace([{ name: 'a', kind: 'webhook', url: other.url, on: 'all' }]);
  pass(5);
  assert.equal(((await other.got(1)) as AlertExplanation[])[0]!.state, 'resolved');
  await alerting.close();
});

const folder = mkdtempSync(join(tmpdir(), 'spillway-alerts-'));
after(() => rmSync(folder, { recursive: true }));

const statesOf = (bodies: readonly unknown[]) =>
  (bodies as AlertExplanation[]).map(({ state, burn }) => `${state} ${burn}`);

/** The outbox learns of the answer a few turns after the receiver has given it; then it is kept that it has. */
async function closed(
  { alerting, pass }: ReturnType<typeof alertingTo>,
  path: string,
  isKept: (text: string) => boolean,
  ...firing: readonly number[]
) {
  const isThere = (): boolean => {
    const text = existsSync(path) ? readFileSync(path, 'utf8') : '"atMs":null';
    return isKept(text) && !text.includes('"atMs":null');
  };
  while (!isThere()) {
    pass(1, ...firing);
    await turn();
  }
  await alerting.close();
}

test('one that begins again tells nothing twice, and of what ended meanwhile that it is over', async () => {
  await using receiver = await Receiver.start();
  const [time, path] = [clock(), join(folder, 'told.json')];
  const begin = async () => {
    const begun = alertingTo([{ name: 'a', kind: 'webhook', url: receiver.url, on: 'all' }], time);
    await begun.alerting.keep(path);
    return begun;
  };
  const first = await begin();
  first.pass(20, 3);
  first.pass(20, 14.4, 3);
  await receiver.got(2);
  await closed(first, path, (text) => text.includes('14.4'), 3);
  const second = await begin();
  second.pass(600, 3);
  // It is an hour after what was told last that it is told again, by whom that was.
  time.pass(3_600_000 * 24);
  second.pass(1, 3);
  assert.deepEqual(statesOf(await receiver.got(3)), ['firing 3', 'firing 14.4', 'firing 3']);
  await closed(second, path, (text) => text.includes('"burn":3'), 3);
  const third = await begin();
  third.pass(1);
  assert.deepEqual(statesOf(await receiver.got(4)).slice(3), ['resolved 14.4']);
  await closed(third, path, (text) => text === '{"told":{}}\n');
  const fourth = await begin();
  fourth.pass(400, 14.4);
  assert.deepEqual(statesOf(await receiver.got(5)).slice(4), ['firing 14.4']);
  await fourth.alerting.close();
});

test('what a receiver had not taken when the process ended is told again', async () => {
  let status = 503;
  await using receiver = await Receiver.start((_, response) => void response.writeHead(status).end());
  const path = join(folder, 'missed.json');
  const to = [{ name: 'a', kind: 'webhook', url: receiver.url, on: 'all' }] as const;
  const first = alertingTo(to);
  await first.alerting.keep(path);
  first.pass(20, 14.4);
  await receiver.got(1);
  await first.alerting.close();
  status = 200;
  const second = alertingTo(to, first.time);
  await second.alerting.keep(path);
  second.pass(20, 14.4);
  assert.deepEqual(statesOf(await receiver.got(2)), ['firing 14.4', 'firing 14.4']);
  await second.alerting.close();
});

test('a receiver that takes nothing keeps no end back from one that does', async () => {
  await using dead = await Receiver.start((_, response) => void response.writeHead(503).end());
  await using receiver = await Receiver.start();
  const [time, path] = [clock(), join(folder, 'dead.json')];
  const begin = async () => {
    const to = [dead, receiver].map(({ url }, at) => ({ name: `${at}`, kind: 'webhook', url, on: 'all' }) as const);
    const begun = alertingTo(to, time);
    await begun.alerting.keep(path);
    return begun;
  };
  const first = await begin();
  first.pass(20, 14.4);
  await receiver.got(1);
  await first.alerting.close();
  const second = await begin();
  second.pass(20);
  assert.deepEqual(statesOf(await receiver.got(2)), ['firing 14.4', 'resolved 14.4']);
  await second.alerting.close();
  const third = await begin();
  third.pass(1);
  assert.deepEqual(
    statesOf(await receiver.got(3)).slice(2),
    ['resolved 14.4'],
    'the other has not taken that it is over',
  );
  await third.alerting.close();
});

test('a file that cannot be used is as none, and it is said; what cannot be kept is said once', async () => {
  for (const [name, text] of [
    ['cut', '{"told":{"a":'],
    ['other', '{"told":{"a":{"alert":{},"worst":{},"atMs":1}}}'],
    ['list', '[]'],
  ] as const) {
    writeFileSync(join(folder, name), text);
    const { alerting, notices } = alertingTo([]);
    await alerting.keep(join(folder, name));
    assert.equal(notices.length, 1);
    assert.match(notices[0]!, /could not be read: |is not what alerts were told of/);
    await alerting.close();
    assert.deepEqual(await readTold(join(folder, name)), new Map(), 'it is made anew');
  }
  const { alerting, pass, notices } = alertingTo([]);
  await alerting.keep(join(folder, 'nowhere', 'told.json'));
  for (let turns = 0; turns < 3 || notices.length === 0; turns += 1) {
    pass(20, 14.4);
    await turn();
  }
  await alerting.close();
  assert.equal(notices.length, 1);
  assert.match(notices[0]!, /not kept what alerts were told: ENOENT/);
});
