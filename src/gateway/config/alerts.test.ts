/** Receivers of alerts in the config: mistakes in their place, and addresses that are never shown. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fingerprint, saysTheSame } from './fingerprint.ts';
import { configText, formatMistake, parseConfig } from './index.ts';

const base = `listeners: [{ name: web, address: "127.0.0.1:80" }]
routes: [{ respond: { status: 204 } }]
`;
const environment = { ALERT_URL: 'https://hooks.example/secret-of-the-hook' };
const read = (alerts: string) => parseConfig(`${base}alerts:\n${alerts}`, { environment });
const lines = (alerts: string): string[] =>
  read(alerts)
    .mistakes.filter(({ severity }) => severity === 'error')
    .map(formatMistake);

test('each has one address, read from where it is said to be', () => {
  const { config, mistakes } = read(
    '  - { name: a, webhook: env:ALERT_URL, on: page }\n  - { name: b, slack: "http://chat.example/x" }\n',
  );
  assert.deepEqual(config?.alertReceivers, [
    { name: 'a', kind: 'webhook', url: environment.ALERT_URL, on: 'page' },
    { name: 'b', kind: 'slack', url: 'http://chat.example/x', on: 'all' },
  ]);
  assert.match(mistakes.map(formatMistake).join('\n'), /warning: there are no objectives, so nobody is ever told/);
});

test('mistakes have their place, and repeat no address', () => {
  for (const [alerts, said] of [
    [
      '  - { name: a }\n',
      /:4:5: how it is told is not clear\. Found nothing, expected exactly one of webhook, slack, alertmanager/,
    ],
    ['  - { name: a, webhook: env:ALERT_URL, slack: env:ALERT_URL }\n', /Found webhook and slack/],
    ['  - { name: a, webhook: env:NO_SUCH }\n', /:4:25: the environment variable NO_SUCH is not set/],
    [
      '  - { name: a, webhook: hooks.example/secret }\n',
      /:4:25: .* is not valid\. Found a value that is not shown, expected an address/,
    ],
    [
      '  - { name: a, webhook: "http://u:secret%w@hooks.example/" }\n',
      /is not valid\. Found a value that is not shown/,
    ],
    ['  - { name: a, webhook: "http://169.254.169.254/x" }\n', /:4:25: the address is link-local/],
    [
      '  - { name: a, webhook: env:ALERT_URL }\n  - { name: a, slack: env:ALERT_URL }\n',
      /:5:13: alerts\[1\] has the same name as alerts\[0\]/,
    ],
    ['  - { name: a, webhok: env:ALERT_URL }\n', /Did you mean webhook\?/],
    ['  - { name: a, webhook: env:ALERT_URL, on: pages }\n', /Did you mean page\?/],
  ] as const) {
    const all = lines(alerts).join('\n');
    assert.match(all, said);
    assert.doesNotMatch(all, /secret/);
  }
});

test('no address is in the text of the config or in its name', () => {
  const at = (url: string) => read(`  - { name: a, webhook: "${url}" }\n`).config!;
  const [one, other] = [at('https://hooks.example/secret-1'), at('https://hooks.example/secret-2')];
  assert.doesNotMatch(configText(one), /secret-1/);
  assert.equal(fingerprint(one), fingerprint(other));
});

test('a secret that is renewed where the config points to is no change that a freeze refuses; another receiver is', () => {
  const at = (url: string, alerts: string) =>
    parseConfig(`${base}alerts:\n${alerts}`, { environment: { ALERT_URL: url } }).config!;
  const alert = '  - { name: a, webhook: env:ALERT_URL }\n';
  const now = at('https://hooks.example/1', alert);
  assert.equal(saysTheSame(now, at('https://hooks.example/2', alert)), true);
  assert.equal(saysTheSame(now, at('https://hooks.example/1', alert.replace('name: a', 'name: b'))), false);
});
