import assert from 'node:assert/strict';
import { test } from 'node:test';
import { resolveConfig } from './load.ts';
import { configText } from './config-text.ts';

function textOf(input: object): string {
  const { config, mistakes } = resolveConfig(input as never);
  assert.ok(config !== null, JSON.stringify(mistakes));
  return configText(config);
}

const base = {
  listeners: [{ name: 'web', address: '127.0.0.1:0' }],
  services: [{ name: 'shop', endpoints: ['127.0.0.1:1'] }],
  routes: [{ name: 'all', service: 'shop' }],
};

test('says what the config says, with its defaults', () => {
  const text = textOf(base);
  assert.match(text, /^listeners:\n {2}- name: web\n {4}address: 127\.0\.0\.1:0\n/m);
  assert.match(text, /- name: shop\n/);
  assert.match(text, /balance:/);
});

test('RFC 6750 §5.3: holds no secret, wherever one may be written', () => {
  const text = textOf({
    ...base,
    services: [
      {
        ...base.services[0],
        health: { active: { type: 'tcp', send: 'AUTH secret-six', expect: { banner: 'OK' } } },
      },
    ],
    routes: [
      {
        name: 'all',
        service: 'shop',
        match: { query: { api_key: 'secret-five' } },
        requestHeaders: {
          set: { Authorization: 'Basic c2VjcmV0LW9uZQ==', 'X-Api-Key': 'secret-two', 'X-Plain': 'shown' },
        },
        limits: { requests: ['api'] },
      },
    ],
    limits: [
      {
        name: 'api',
        algorithm: { type: 'token-bucket', capacity: 5, refillPerSecond: 1 },
        key: 'client',
        store: { redis: 'redis://ann:secret-three@127.0.0.1:1' },
      },
    ],
    admin: { address: '127.0.0.1:0', token: 'secret-four-of-some-length' },
  });
  assert.match(text, /X-Plain: shown/i);
  assert.match(text, /\(secret\)/);
  for (const secret of ['c2VjcmV0LW9uZQ==', 'secret-two', 'secret-three', 'secret-four', 'secret-five', 'secret-six']) {
    assert.ok(!text.includes(secret), `${secret} in\n${text}`);
  }
});
