/** A config on trial in a real gateway under load: promoted when it does as well, taken back when it does not. */
import assert from 'node:assert/strict';
import { Agent, createServer, get as httpGet } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { test } from 'node:test';
import type { GatewayEvent } from '../src/gateway/index.ts';
import { cleanups, config, create, origin } from './gateway-under-test.ts';

type Phase = Extract<GatewayEvent, { kind: 'canary' }>['trial']['phase'];

async function failing(): Promise<string> {
  const server = createServer((_request, response) => void response.writeHead(500).end('broken'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanups.push(() => {
    server.close();
    server.closeAllConnections();
  });
  return `127.0.0.1:${(server.address() as AddressInfo).port}`;
}

interface Answer {
  readonly status: number;
  readonly body: string;
}

/** Requests one after another on connections of their own, in some lanes, until `stop`. */
function load(address: string) {
  const answers: Answer[] = [];
  let running = true;
  const one = (): Promise<Answer> =>
    new Promise((resolve) => {
      const agent = new Agent();
      const request = httpGet(`http://${address}/`, { agent }, (response) => {
        let body = '';
        response.setEncoding('utf8').on('data', (chunk: string) => (body += chunk));
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
        response.on('error', ({ message }) => resolve({ status: 0, body: message }));
      });
      request.on('error', ({ message }) => resolve({ status: 0, body: message }));
    });
  const lane = async (): Promise<void> => {
    while (running) answers.push(await one());
  };
  const all = Promise.all([lane(), lane(), lane(), lane()]);
  const stop = async (): Promise<readonly Answer[]> => {
    running = false;
    await all;
    return answers;
  };
  cleanups.push(stop);
  return { answers, stop };
}

async function running() {
  const under = create({ config: config(await origin('old')) });
  const { gateway } = under;
  await gateway.start();
  const ended = (phase: Phase): Promise<Extract<GatewayEvent, { kind: 'canary' }>> =>
    new Promise((resolve) => {
      const leave = gateway.onEvent((event) => {
        if (event.kind !== 'canary' || event.trial.phase !== phase) return;
        leave();
        resolve(event);
      });
    });
  return { ...under, ended };
}

test('promoted when its time is over and it was no worse; no request fails', async () => {
  const { gateway, address, get, ended } = await running();
  const traffic = load(address());
  const promoted = ended('promoted');
  const begun = await gateway.apply({ config: config(await origin('new')), trial: { share: 0.3, watchMs: 1500 } });
  assert.equal(begun.kind, 'begun');
  assert.equal(gateway.state().canary?.phase, 'watching');
  const { trial } = await promoted;
  assert.match(trial.canary, /^\d+ requests, 0 errors/);
  assert.equal(await get(), 'new');
  const answers = await traffic.stop();
  assert.deepEqual(
    answers.filter(({ status }) => status !== 200),
    [],
  );
  const [newer, older] = ['new', 'old'].map((name) => answers.filter(({ body }) => body === name).length);
  assert.ok(newer! > 0 && older! > 0, `${newer} new, ${older} old`);
  assert.equal(gateway.state().history[0]?.cause, 'canary');
});

test('taken back at once when it fails, with the numbers; the others never see it', async () => {
  const { gateway, address, get, ended } = await running();
  const traffic = load(address());
  const back = ended('rolled-back');
  await gateway.apply({ config: config(await failing()), trial: { share: 0.2, watchMs: 600_000 } });
  const { trial } = await back;
  assert.match(trial.reason ?? '', /^100\.0 % of its requests fail, 0\.00 % of the others$/);
  await traffic.stop();
  for (let sent = 0; sent < 20; sent++) assert.equal(await get(), 'old');
  assert.deepEqual(
    gateway.state().history.map(({ cause }) => cause),
    ['start'],
  );
});

/** Requests that have been made, by their query: whoever is to be told that nobody waits for an answer is found there. */
type Waiting = Map<string, AbortController>;

/** Clients, each request on a connection of its own, until the trial is over. */
async function clients(address: string, path: string, until: Promise<unknown>, waiting: Waiting): Promise<void> {
  let isOver = false;
  let asked = 0;
  const lane = async (): Promise<void> => {
    while (!isOver) {
      const id = String(asked++);
      const giveUp = new AbortController();
      waiting.set(id, giveUp);
      const options = { signal: giveUp.signal, headers: { connection: 'close' } };
      await fetch(`http://${address}${path}?${id}`, options)
        .then((response) => response.text())
        .catch(() => null);
      waiting.delete(id);
    }
  };
  const lanes = Promise.all([lane(), lane(), lane(), lane()]);
  await until;
  isOver = true;
  for (const giveUp of waiting.values()) giveUp.abort();
  await lanes;
}

test('taken back when half of its requests are never answered, though no answer is an error', async () => {
  const waiting: Waiting = new Map();
  // A client gives up when its request has come to nobody, and at no other time.
  const silent = createTcpServer((socket) => {
    socket.on('error', () => {});
    socket.on('data', (bytes) => waiting.get(/\?(\d+)/.exec(bytes.toString('latin1'))?.[1] ?? '')?.abort());
  });
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
  cleanups.push(() => void silent.close());
  const { gateway, address, ended } = await running();
  const hangs = `127.0.0.1:${(silent.address() as AddressInfo).port}`;
  const endpoints = [await origin('new'), hangs];
  const next = config('', { services: [{ name: 'shop', endpoints, health: { passive: 'off' } }] });
  await gateway.apply({ config: next, trial: { share: 0.5, watchMs: 600_000 } });
  const back = ended('rolled-back');
  await clients(address(), '/', back, waiting);
  assert.match(
    (await back).trial.reason ?? '',
    /^[\d.]+ % of its requests wait or were given up, [\d.]+ % of the others$/,
  );
});

test('taken back when it has lost a route', async () => {
  const { gateway, address, ended } = await running();
  const next = config(await origin('new'), { routes: [{ name: 'all', service: 'shop', match: { path: '/new' } }] });
  await gateway.apply({ config: next, trial: { share: 0.3, watchMs: 600_000 } });
  const back = ended('rolled-back');
  await clients(address(), '/old', back, new Map());
  assert.match((await back).trial.reason ?? '', /^100\.0 % of its requests fail, 0\.00 % of the others$/);
});

test('another config ends a trial, and one with mistakes begins none', async () => {
  const { gateway, get, ended } = await running();
  const back = ended('rolled-back');
  await gateway.apply({ config: config(await origin('new')), trial: { share: 0.5, watchMs: 600_000 } });
  await gateway.reload({ config: config(await origin('third')) });
  assert.equal((await back).trial.reason, 'another config was put in force');
  assert.equal(await get(), 'third');
  const refused = await gateway.apply({
    config: { ...config('a:1'), routes: [] },
    trial: { share: 0.5, watchMs: 1000 },
  });
  assert.equal(refused.kind, 'refused');
  assert.equal(gateway.state().canary?.phase, 'rolled-back');
});

test('a config that is refused, at whatever step, leaves the trial as it is', async () => {
  const { gateway } = await running();
  const taken = await origin('somebody else');
  await gateway.apply({ config: config(await origin('new')), trial: { share: 0.5, watchMs: 600_000 } });
  const listening = config(await origin('third'), { listeners: [{ name: 'web', address: taken }] });
  const administered = config(await origin('third'), { admin: { address: taken } });
  for (const refused of [{ ...listening, routes: [] }, listening, administered]) {
    const outcome = await gateway.reload({ config: refused });
    assert.equal(outcome.kind, 'refused');
    assert.equal(gateway.state().canary?.phase, 'watching');
  }
});

test('a reload of what is in force takes the trial back', async () => {
  const { gateway } = await running();
  await gateway.apply({ config: config(await origin('new')), trial: { share: 0.5, watchMs: 600_000 } });
  assert.equal((await gateway.reload()).kind, 'unchanged');
  const { phase, reason } = gateway.state().canary ?? {};
  assert.deepEqual([phase, reason], ['rolled-back', 'the config in force was asked for']);
});
