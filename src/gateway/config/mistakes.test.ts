/** What `spillway check` says: each mistake, its place, what was found and expected, and what was probably meant. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { stringify } from 'yaml';
import { parseConfig } from './index.ts';
import { config, lines, listener, says, service } from '../../../test/config-text.ts';
import { configTemplate } from './template.ts';

test('the starter file has no mistakes', () => {
  assert.deepEqual(lines(configTemplate), []);
});

test('a mistake is one line: file:line:column: what. Found, expected. Did you mean?', () => {
  const text =
    'listeners:\n  - name: web\n    address: 127.0.0.1:8080\n    timeouts:\n      header: 10 sec\nservices: [{ name: s, endpoints: ["a:1"] }]\nroutes: [{ service: s }]\n';
  assert.deepEqual(lines(text), [
    'f.yaml:5:15: listeners[0].timeouts.header is not valid. Found "10 sec", expected a duration with a unit (ms, s, m, h, d), such as 500ms or 1.5s. Did you mean 10s?',
  ]);
});

test('the machine form says the same in fields', () => {
  const [mistake] = parseConfig(service('balanc: round-robin'), { file: 'f.yaml' }).mistakes;
  assert.deepEqual(mistake, {
    severity: 'error',
    path: 'services[0].balanc',
    file: 'f.yaml',
    line: 2,
    column: 57,
    message: 'unknown key "balanc" in services[0]',
    found: null,
    expected:
      'one of: name, balance, slowStart, affinity, endpoints, discovery, tls, health, timeouts, limits, retries, breaker, retryAfter, allowLinkLocal',
    suggestion: 'balance',
  });
});

test('typos in keys, words and references find the nearest valid name', () => {
  says('listenrs: []\n' + config({}), 'unknown key "listenrs" at the top level', 'Did you mean listeners?');
  says(
    service('health: { active: { intervall: 1s } }'),
    'unknown key "intervall" in services[0].health.active',
    'Did you mean interval?',
  );
  says(
    service('balance: round_robin'),
    'Found "round_robin", expected one of: round-robin, weighted',
    'Did you mean round-robin?',
  );
  says(
    config({
      services: '[{ name: shop, endpoints: ["a:1"] }, { name: shop2, endpoints: ["a:2"] }]',
      routes: '[{ service: shop }, { service: shpo2, match: { path: /x } }]',
    }),
    /there is no service "shpo2"\. Expected one of: shop, shop2\. Did you mean shop2\?/,
  );
  says(
    config({ routes: '[{ service: shop, match: { listeners: [wbe] } }]' }),
    /there is no listener "wbe"\. Expected one of: web\. Did you mean web\?/,
  );
  says(config({ rest: 'accessLog: of' }), 'Found "of"', 'Did you mean off?');
  says(
    config({ routes: '[{ service: shop, upgrade: [websockets] }]' }),
    'expected one of: websocket. Did you mean websocket?',
  );
});

test('an abbreviation and a word in small letters find what was meant', () => {
  says(
    listener('tls: { cert: a.pem, key: a.key }'),
    'unknown key "cert" in listeners[0].tls',
    'Did you mean certificate?',
  );
  says(config({ routes: '[{ service: shop, match: { methods: [get] } }]' }), 'Found "get"', 'Did you mean GET?');
});

test('a user that this machine does not have is a warning, for it may be checked elsewhere; root is an error', () => {
  says(config({ rest: 'user: no-such-user' }), /^f\.yaml:4:7: warning: this machine has no user no-such-user/);
  for (const user of ['root', '"0"']) says(config({ rest: `user: ${user}` }), /^f\.yaml:4:7: user .* is root/);
  assert.deepEqual(lines(config({ rest: 'user: "4711"' })), []);
});

test('what is missing is said where it should be', () => {
  says(
    'listeners:\n  - name: web\nservices: [{ name: s, endpoints: ["a:1"] }]\nroutes: [{ service: s }]',
    'f.yaml:2:5: listeners[0].address is missing. Expected an address to listen on',
  );
  says(
    'services: [{ name: s, endpoints: ["a:1"] }]\nroutes: [{ service: s }]',
    'f.yaml:1:1: listeners is missing. Expected a list of listeners',
  );
  says('', 'the config is empty');
  says('- a', 'the config is not valid', 'expected a map of keys and values');
});

test('a choice of forms says the mistake of the form that was meant', () => {
  says(
    config({ services: '[{ name: shop, endpoints: [{ address: "a:1", wieght: 2 }] }]' }),
    'unknown key "wieght"',
    'Did you mean weight?',
  );
  says(
    config({ services: '[{ name: shop, endpoints: [7] }]' }),
    'Found 7, expected host:port',
    'or a map of keys and values',
  );
  says(service('tls: { verfy: true }'), 'unknown key "verfy" in services[0].tls', 'Did you mean verify?');
  assert.match(lines(listener('tls: { minVersion: TLSv1.3 }')).join('\n'), /Found "TLSv1.3", expected 1.2 or 1.3\./);
  says(service('health: { active: { expect: { status: [2xx] } } }'), 'Found "2xx", expected a status or a range');
  says(service('health: { active: { expect: { status: [299-200] } } }'), 'Did you mean 200-299?');
  says(config({ rest: 'workers: 0' }), 'Found 0, expected a whole number from 1 to 256');
});

test('numbers out of bounds say the bounds', () => {
  says(listener('limits: { headerFields: 0 }'), 'Found 0, expected a whole number from 1 to 10000');
  says(listener('limits: { headerFields: 1.5 }'), 'Found 1.5, expected a whole number');
  says(listener('timeouts: { idle: 99d }'), 'Found "99d", expected a value from 1ms to 24d');
  says(listener('limits: { header: 1b }'), 'expected a value from 256b to 1mb');
  says(listener('timeouts: { idle: 60 }'), 'Found 60, expected a duration with a unit');
});

test('names are unique', () => {
  says(
    config({ listeners: '[{ name: web, address: ":80" }, { name: web, address: ":81" }]' }),
    /listeners\[1\] has the same name as listeners\[0\]/,
  );
  says(
    config({ services: '[{ name: shop, endpoints: ["a:1"] }, { name: shop, endpoints: ["a:2"] }]' }),
    /services\[1\] has the same name/,
  );
  says(
    config({ routes: '[{ service: shop, name: a }, { service: shop, name: a, match: { path: /x } }]' }),
    /routes\[1\] has the same name as routes\[0\]/,
  );
});

test('addresses of listeners: the same twice is an error, one inside another a warning', () => {
  const two = (a: string, b: string) =>
    config({ listeners: `[{ name: a, address: "${a}" }, { name: b, address: "${b}" }]` });
  says(two(':8080', '0.0.0.0:8080'), 'listeners[1] has the same address as listeners[0]');
  says(two(':8080', '127.0.0.1:8080'), 'warning: listeners[1] and listeners[0] share a port');
  assert.deepEqual(lines(two('127.0.0.1:0', '127.0.0.1:0')), []);
  assert.deepEqual(lines(two('127.0.0.1:80', '127.0.0.2:80')), []);
});

test('RFC 9110 §7.6.3: an endpoint that is this gateway is a loop', () => {
  const shop = (endpoint: string, listeners = '[{ name: web, address: ":8080" }]') =>
    config({ listeners, services: `[{ name: shop, endpoints: ["${endpoint}"] }]` });
  says(shop('localhost:8080'), 'this endpoint is the gateway itself (listeners[0])');
  says(shop('127.0.0.1:8080'), 'f.yaml:2:38: this endpoint is the gateway itself');
  says(shop('127.0.0.1:9900') + 'admin: { address: "127.0.0.1:9900" }', "the gateway's own admin address");
});

test('a wrong endpoint hides nothing that is wrong with those beside it', () => {
  const found = lines(
    config({
      services:
        '[{ name: shop, endpoints: [127.0.0.1:9001, localhost, { address: x, weight: 2 }, 127.0.0.1:9001, 127.0.0.1:8080] }]',
    }),
  );
  assert.equal(found.length, 4, found.join('\n'));
  for (const pattern of [
    /“?localhost/,
    /"x"/,
    /endpoint 3 of service "shop" is endpoint 0 again/,
    /the gateway itself/,
  ]) {
    assert.ok(
      found.some((line) => pattern.test(line)),
      `${String(pattern)} in ${found.join('\n')}`,
    );
  }
  assert.ok(!found.some((line) => line.includes('.invalid')), 'nobody is told of what stands in');
});

test('link-local and metadata endpoints are refused unless allowed', () => {
  const shop = (text: string) => config({ services: `[{ name: shop, endpoints: ${text} }]` });
  says(shop('["169.254.169.254:80"]'), 'hands out credentials', 'allowLinkLocal: true');
  says(shop('["[fe80::1]:80"]'), 'link-local');
  says(shop('["[::ffff:169.254.169.254]:80"]'), 'link-local');
  says(shop('["metadata.google.internal:80"]'), 'link-local');
  assert.deepEqual(lines(shop('["169.254.1.1:80"], allowLinkLocal: true')), []);
  says(shop('["0.0.0.0:80"]'), 'an address to listen on', 'Did you mean 127.0.0.1:80?');
});

test('the same endpoint twice, and endpoints without work', () => {
  says(
    config({ services: '[{ name: shop, endpoints: ["A:1", { address: "a:1" }] }]' }),
    'endpoint 1 of service "shop" is endpoint 0 again',
  );
  says(
    config({ services: '[{ name: shop, endpoints: [{ address: "a:1", weight: 0 }] }]' }),
    'warning: no endpoint of service "shop" gets work',
  );
  says(
    config({
      services: '[{ name: shop, endpoints: [{ address: "a:1", drain: true }, { address: "a:2", drain: 1m }] }]',
    }),
    'warning: no endpoint of service "shop" gets work. Found drain everywhere',
  );
  says(
    config({ services: '[{ name: shop, endpoints: ["a:1", { address: "a:2", drain: soon }] }]' }),
    'services[0].endpoints[1].drain is not valid. Found "soon", expected a duration',
  );
});

test('what nobody uses is a warning', () => {
  says(
    config({ services: '[{ name: shop, endpoints: ["a:1"] }, { name: old, endpoints: ["a:2"] }]' }),
    'warning: no route leads to service "old"',
  );
  says(
    config({
      listeners: '[{ name: a, address: ":80" }, { name: b, address: ":81" }]',
      routes: '[{ service: shop, match: { listeners: [a] } }]',
    }),
    'warning: no route serves listener "b"',
  );
});

test('limits and times that contradict each other say both values', () => {
  says(listener('limits: { requestLine: 64kb }'), 'requestLine (64kb) at most header (32kb)');
  says(listener('limits: { connections: 100 }'), 'warning', 'connectionsPerIp (4000) at most connections (100)');
  says(service('limits: { connections: 8 }'), 'warning', 'idleConnections (512) at most connections (8)');
  says(service('timeouts: { total: 10s }'), 'warning', 'total (10s) at least responseHeader (30s)');
  says(service('timeouts: { idle: 5s }'), 'warning', 'close an idle connection after 5s');
  says(service('tls: { verify: false }'), 'warning', 'anyone on the way can read and change');
});

test('trust: everyone is a warning, the PROXY protocol from nobody an error', () => {
  says(listener('trustedProxies: ["0.0.0.0/0"]'), 'warning', 'any client can pretend to be another');
  says(listener('proxyProtocol: required'), 'there are none: every connection would be closed');
  says(listener('trustedProxies: ["10.0.0.1/8"]'), 'Did you mean 10.0.0.0/8?');
});

test('an admin address that others reach needs a token, and a token is never shown', () => {
  const admin = (text: string) => config({ rest: `admin: { ${text} }` });
  says(admin('address: ":9900"'), 'can be reached from other machines and no token is set', '127.0.0.1:9900');
  says(admin('address: ":9900", token: s3cret'), 'Found a value that is not shown, expected a secret of 16');
  says(admin('address: "127.0.0.1:8080"'), 'the admin address is also that of listeners[0]');
  says(admin('address: ":9900", readToken: s3cret'), 'Found a value that is not shown, expected a secret of 16');
  says(admin('address: ":9900", metricsToken: s3cret'), 'Found a value that is not shown, expected a secret of 16');
  says(admin('address: ":9900", token: file:nowhere'), 'nowhere does not exist');
  says(admin('address: ":9900", token: env:SPILLWAY_TEST_UNSET'), 'variable SPILLWAY_TEST_UNSET is not set');
  says(admin('address: ":9900", token: env:not-a-name'), 'Found a value that is not shown');
  const twice = 'token: 0123456789abcdef, readToken: 0123456789abcdef';
  says(admin(`address: ":9900", ${twice}`), 'readToken is the same as token', /^(?!.*0123456789)/);
  assert.deepEqual(lines(admin('address: ":9900", metricsToken: none')), []);
  assert.deepEqual(lines(admin('address: ":9900", token: 0123456789abcdef')), []);
  for (const host of ['127.0.0.1', 'localhost', '[::1]'])
    assert.deepEqual(lines(admin(`address: "${host}:9900"`)), [], host);
});

test('an admin socket is in a folder that exists, at a path that fits', () => {
  const admin = (path: string) => config({ rest: `admin: { address: "unix:${path}" }` });
  assert.deepEqual(lines(admin('admin.sock')), []);
  says(admin('nowhere/admin.sock'), 'nowhere of the admin socket does not exist');
  says(admin(`/tmp/${'x'.repeat(103)}`), 'the path of the admin socket is too long', 'at most 107 bytes');
});

test('all mistakes come in one go, in the order of the file, whatever else is wrong', () => {
  const text = [
    'listeners:',
    '  - { name: web, address: 127.0.0.1:8080, timeouts: { header: 5 } }',
    'services:',
    '  - { name: shop, endpoints: [127.0.0.1:8080], balanc: x, health: { active: { interval: 1s, timeout: 2s } } }',
    'routes:',
    '  - { service: shpo }',
    'admin: { address: 0.0.0.0:9900 }',
    'workers: many',
  ].join('\n');
  const found = lines(text).map((line) => line.slice(0, line.indexOf('. ')));
  assert.deepEqual(found, [
    'f.yaml:2:63: listeners[0].timeouts.header is not valid',
    'f.yaml:4:31: this endpoint is the gateway itself (listeners[0]): requests would go in a circle',
    'f.yaml:4:48: unknown key "balanc" in services[0]',
    'f.yaml:4:102: a check would still wait when the next one is due',
    'f.yaml:6:16: there is no service "shpo"',
    'f.yaml:7:19: the admin address can be reached from other machines and no token is set',
    'f.yaml:8:10: workers is not valid',
  ]);
});

test('services may be left out where no route leads to one', () => {
  const without = (routes: string) => `listeners: [{ name: web, address: "127.0.0.1:8080" }]\nroutes: [${routes}]`;
  assert.deepEqual(lines(without('{ redirect: { to: "https://{host}{path}" } }')), []);
  says(without('{ service: shop }'), 'there is no service "shop"');
});

test('an endpoint that is the gateway itself goes in a circle, however it is written', () => {
  const both = (listen: string, endpoint: string) =>
    config({
      listeners: `[{ name: web, address: "${listen}" }]`,
      services: `[{ name: shop, endpoints: ["${endpoint}"] }]`,
    });
  for (const [listen, endpoint] of [
    [':8080', '127.0.0.1:8080'],
    [':8080', 'localhost:8080'],
    ['0.0.0.0:8080', '127.9.9.9:8080'],
    ['[::]:8080', '[::1]:8080'],
    ['[::]:8080', '127.0.0.1:8080'],
    ['localhost:8080', '127.0.0.1:8080'],
    ['[::1]:8080', 'localhost:8080'],
    ['127.0.0.1:8080', '[::ffff:127.0.0.1]:8080'],
  ] as const)
    says(both(listen, endpoint), 'this endpoint is the gateway itself (listeners[0]): requests would go in a circle');
  assert.deepEqual(lines(both('127.0.0.1:8080', '127.0.0.2:8080')), []);
  assert.deepEqual(lines(both(':8080', '127.0.0.1:8081')), []);
  assert.deepEqual(lines(both('127.0.0.1:0', '127.0.0.1:8080')), []);
  says(config({ rest: 'admin: { address: "127.0.0.1:9001" }' }), "this endpoint is the gateway's own admin address");
});

test('a thousand mistakes are cut short', () => {
  const all = lines(
    config({
      routes: `[${Array.from({ length: 1000 }, (_, n) => `{ service: no${n}, match: { path: /${n} } }`).join(',')}]`,
    }),
  );
  assert.equal(all.length, 201);
  assert.match(all.at(-1) ?? '', /and 80\d more/);
});

test('nothing in a mistake steers a terminal', () => {
  const all = lines(
    config({
      services: '[{ name: "\\e[31mx", endpoints: ["\\u202eab\\x9b"], "\\e]0;k": 1 }]',
      routes: '[{ service: "\\e[2J" }]',
    }),
  );
  assert.ok(all.length >= 3);
  for (const line of all) assert.doesNotMatch(line, /[\p{Cc}\p{Cf}]/u);
});

test('any change to a valid config gives a config or mistakes with places, and never an exception', () => {
  const base = parseYaml();
  const junk = fc.oneof(
    fc.constantFrom(null, '', 'off', '1s', -1, 0, 1e300, true, [], {}, [[]], '\u0000', '__proto__', 'constructor'),
    fc.string(),
    fc.jsonValue({ maxDepth: 2 }),
  );
  const places = pathsOf(base, []);
  fc.assert(
    fc.property(fc.constantFrom(...places), junk, (path, value) => {
      const changed = structuredClone(base);
      let holder: Record<string | number, unknown> = changed;
      for (const step of path.slice(0, -1)) holder = holder[step] as Record<string | number, unknown>;
      holder[path.at(-1) ?? ''] = value;
      const { config, mistakes } = parseConfig(stringify(changed), { file: 'f.yaml' });
      assert.equal(
        config === null,
        mistakes.some(({ severity }) => severity === 'error'),
      );
      for (const mistake of mistakes) assert.ok(mistake.line >= 1 && mistake.column >= 1 && mistake.message !== '');
    }),
    { numRuns: 500 },
  );
});

function parseYaml(): Record<string, unknown> {
  return {
    listeners: [
      {
        name: 'web',
        address: '127.0.0.1:8080',
        limits: { header: '32kb' },
        trustedProxies: ['10.0.0.0/8'],
        strict: { mergeSlashes: true },
      },
    ],
    services: [
      {
        name: 'shop',
        endpoints: ['a:1', { address: 'a:2', weight: 2 }],
        tls: true,
        health: { active: { interval: '5s', expect: { status: [200, '300-302'] } } },
        retries: { attempts: 2 },
      },
    ],
    routes: [
      {
        name: 'r',
        service: 'shop',
        match: { host: 'a.example', path: '/x/*', listeners: ['web'] },
        upgrade: ['websocket'],
      },
    ],
    admin: { address: '127.0.0.1:9900' },
    accessLog: { target: 'stdout', sample: '10%' },
  };
}

function pathsOf(value: unknown, path: readonly (string | number)[]): (readonly (string | number)[])[] {
  if (typeof value !== 'object' || value === null) return [];
  const steps: [string | number, unknown][] = Array.isArray(value)
    ? value.map((item, index) => [index, item])
    : Object.entries(value);
  return steps.flatMap(([step, item]) => [[...path, step], ...pathsOf(item, [...path, step])]);
}
