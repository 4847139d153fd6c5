/** What `spillway check` says of `discovery`, and of the file that it names. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { config, lines, says } from '../../../test/config-text.ts';
import { CellStore, compileSnapshot, diffConfigs, formatMistake, loadConfig, parseConfig } from './index.ts';

const shop = (text: string): string => config({ services: `[{ name: shop, ${text} }]` });

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'spillway-discovery-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

test('a service has endpoints, or discovery, or both', () => {
  says(
    shop('balance: random'),
    'f.yaml:2:',
    'service "shop" has no endpoints',
    'Expected endpoints, discovery, or both.',
  );
  says(shop('endpoints: []'), 'at least 1 of endpoints');
  for (const dns of ['{ name: shop.internal, port: 80 }', '{ srv: _http._tcp.shop.internal }']) {
    assert.deepEqual(lines(shop(`discovery: { dns: ${dns} }`)), []);
    assert.deepEqual(lines(shop(`discovery: { dns: ${dns} }, endpoints: ["127.0.0.1:9001"]`)), []);
  }
  assert.deepEqual(lines(shop('discovery: { api: true, max: 10, whenEmpty: remove }')), []);
});

test('exactly one source, and a question that can be asked', () => {
  says(
    shop('discovery: {}'),
    'f.yaml:2:37:',
    'services[0].discovery says nothing of where to look',
    'dns, file or api',
  );
  says(
    shop('discovery: { api: true, dns: { name: a.b, port: 1 } }'),
    'f.yaml:2:39:',
    'services[0].discovery has dns and api, and only one can have the say',
  );
  says(shop('discovery: { api: false }'), 'Found false, expected true.');
  says(shop('discovery: { dns: {} }'), 'services[0].discovery.dns names nothing', 'Expected name and port, or srv.');
  says(shop('discovery: { dns: { name: shop.internal } }'), 'has a name and no port', 'Expected port');
  says(shop('discovery: { dns: { srv: _http._tcp.a.b, port: 80 } }'), 'f.yaml:2:67:', 'port means nothing beside srv');
  says(shop('discovery: { dns: { name: "10.0.0.1", port: 80 } }'), 'Found "10.0.0.1", expected a host name');
  says(shop('discovery: { dns: { name: "a..b", port: 80 } }'), 'expected a host name');
  says(shop('discovery: { dns: { srv: http.tcp.a.b } }'), 'expected a name such as _http._tcp.shop.internal');
  says(
    shop('discovery: { dns: { name: a.b, port: 80, servers: [ns1.internal] } }'),
    'services[0].discovery.dns.servers[0] is not valid',
    'expected the address of a DNS server',
  );
  says(shop('discovery: { dns: { name: a.b, port: 80, refresh: { min: 1m, max: 1s } } }'), 'min (1m) at most max (1s)');
  says(shop('discovery: { dns: { nam: a.b } }'), 'unknown key "nam"', 'Did you mean name?');
});

test('DNS servers are addresses, with port 53 unless one is given', () => {
  const servers = '["10.0.0.2", "10.0.0.2:5353", "[fd00::2]:54"]';
  const { config: read } = parseConfig(shop(`discovery: { dns: { name: a.b, port: 80, servers: ${servers} } }`));
  assert.deepEqual(read?.services[0]?.discovery?.dns?.servers, [
    { host: '10.0.0.2', port: 53 },
    { host: '10.0.0.2', port: 5353 },
    { host: 'fd00::2', port: 54 },
  ]);
});

test('mistakes in a file of endpoints have their own place; a file that is not there yet is a warning', async () => {
  const path = join(folder, 'spillway.yaml');
  const endpoints = join(folder, 'endpoints.yaml');
  const mistakes = async (): Promise<readonly string[]> => (await loadConfig(path)).mistakes.map(formatMistake);
  writeFileSync(path, shop('discovery: { file: endpoints.yaml }'));
  assert.match(
    (await mistakes()).join('\n'),
    /^\S+spillway\.yaml:2:45: warning: the file \S+ does not exist.*learns no/,
  );
  writeFileSync(endpoints, '- 127.0.0.1:9001\n- { address: "127.0.0.1:9002", wieght: 2 }\n- 127.0.0.1\n');
  const bad = await loadConfig(path);
  assert.deepEqual(bad.mistakes.map(formatMistake), [
    `${endpoints}:2:32: unknown key "wieght" in [1]. Expected one of: address, weight, zone, priority, backup, connectionsMax, drain. Did you mean weight?`,
    `${endpoints}:3:3: [2] is not valid. Found "127.0.0.1", expected host:port, such as 127.0.0.1:9001, shop.internal:80 or "[::1]:9001".`,
  ]);
  assert.equal(bad.config, null);
  assert.ok(bad.files.includes(endpoints), 'its repair is a change');
  writeFileSync(endpoints, '["127.0.0.1:9001", "169.254.169.254:80", "127.0.0.1:8080", "0.0.0.0:1", "127.0.0.1:9001"]');
  const refused = (await mistakes()).join('\n');
  for (const part of [/:1:20: .*link-local/, /:1:42: .*the gateway itself/, /:1:60: .*listen on/, /:1:73: .* again/])
    assert.match(refused, part);
  writeFileSync(endpoints, '{"endpoints": []}');
  assert.match((await mistakes()).join('\n'), /endpoints\.yaml:1:1: .*a list of endpoints/);
  writeFileSync(endpoints, '# none yet\n[]\n');
  assert.deepEqual(await mistakes(), []);
  const { files } = await loadConfig(path);
  assert.deepEqual(files, [path], 'it is watched by whoever reads it');
});

test('what is found comes after what is written, and is what the config says if it is both', () => {
  const { config: read } = parseConfig(
    shop(
      'endpoints: [{ address: "127.0.0.1:9001", weight: 3 }], tls: true, discovery: { dns: { name: a.b, port: 9001 } }',
    ),
  );
  const found = ['127.0.0.1', '127.0.0.2'].map((host) => ({
    ...{ address: { host, port: 9001, text: `${host}:9001` }, weight: 1, priority: 0, backup: false, drain: false },
    ...{ source: 'dns' as const, identity: 'a.b' },
  }));
  const options = { version: 1, cells: new CellStore(2), ticketSecret: new Uint8Array(32), pseudonym: 'x' };
  const [service] = compileSnapshot(read!, { ...options, found: () => found }).services;
  assert.deepEqual(
    service!.endpoints.map(({ id, weight, source, identity }) => [id, weight, source, identity]),
    [
      ['127.0.0.1:9001', 3, 'config', '127.0.0.1'],
      ['127.0.0.2:9001', 1, 'dns', 'a.b'],
    ],
  );
  assert.equal(service!.discovery, 'dns a.b:9001');
  assert.deepEqual(compileSnapshot(read!, options).services[0]!.endpoints.length, 1);
});

test('a change of discovery is told', () => {
  const cells = new CellStore(2);
  const compiled = (text: string) => {
    const { config: read } = parseConfig(shop(text));
    const options = { version: 1, cells, ticketSecret: new Uint8Array(32), pseudonym: 'x' };
    return { config: read!, snapshot: compileSnapshot(read!, options) };
  };
  const before = compiled('discovery: { dns: { name: a.b, port: 80 } }');
  const after = compiled('discovery: { dns: { name: a.b, port: 81, refresh: { max: 1m } }, max: 5 }');
  assert.deepEqual(diffConfigs(before, after), [
    'service shop: discovery.dns.port 80 → 81',
    'service shop: discovery.dns.refresh.max 5m → 1m',
    'service shop: discovery.max 1000 → 5',
  ]);
});
