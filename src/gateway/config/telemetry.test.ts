import assert from 'node:assert/strict';
import { test } from 'node:test';
import { configText } from './config-text.ts';
import { fingerprint } from './fingerprint.ts';
import { parseConfig } from './load.ts';

const base = `listeners: [{ name: web, address: '127.0.0.1:8080' }]
services: [{ name: shop, endpoints: ['127.0.0.1:9001'] }]
routes: [{ service: shop }]
`;
const parsed = (text: string, environment: NodeJS.ProcessEnv = {}) =>
  parseConfig(`${base}telemetry:\n${text}`, { environment });
const says = (text: string, pattern: RegExp): void => {
  const { config, mistakes } = parsed(text);
  assert.equal(config, null, text);
  const said = mistakes.map((mistake) => JSON.stringify(mistake)).join('\n');
  assert.match(said, pattern);
  assert.doesNotMatch(said, /do-not-tell/);
};

test('traces: defaults, and off without a word; of metrics how many endpoints are named', () => {
  const traces = { sample: 0.01, slow: 1000, perSecond: 100 };
  assert.deepEqual(parsed('  traces: {}').config!.telemetry, { metrics: { endpoints: 1000 }, traces });
  assert.deepEqual(parseConfig(base).config!.telemetry, { metrics: { endpoints: 1000 } });
  assert.deepEqual(parsed('  metrics: { endpoints: 0 }').config!.telemetry, { metrics: { endpoints: 0 } });
  says('  metrics: { endpoints: -1 }', /endpoints/);
  says('  traces: { sample: 110% }', /sample/);
  says('  traces: { slow: 0s }', /slow/);
  says('  traces: { persecond: 5 }', /perSecond/);
});

test('a collector is an address without a path of ours and without a password', () => {
  for (const endpoint of [
    'collector:4318',
    'ftp://collector',
    'http://user:do-not-tell@collector:4318',
    'http://collector:4318/v1/traces',
    'http://collector:4318/?a=b',
  ]) {
    says(`  otlp: { endpoint: '${endpoint}' }`, /endpoint/);
  }
  const { config } = parsed("  otlp: { endpoint: 'https://collector.example/otlp' }");
  assert.equal(config!.telemetry.otlp!.endpoint, 'https://collector.example/otlp');
});

test('header values are secrets: from a variable or a file, never repeated, no part of the fingerprint', () => {
  const headers = (secret: string) =>
    `  otlp: { endpoint: 'https://c.example', headers: [{ name: Authorization, secret: '${secret}' }] }`;
  const { config } = parsed(headers('env:KEY'), { KEY: ' Basic do-not-tell\n' });
  assert.deepEqual(config!.otlpHeaders, { all: { authorization: 'Basic do-not-tell' } });
  const { config: other } = parsed(headers('env:KEY'), { KEY: 'another' });
  assert.equal(fingerprint(config!), fingerprint(other!));
  says(headers('env:KEY'), /KEY is not set/);
  says(headers('file:nowhere/at-all'), /nowhere/);
  says(headers('do-not-tell, ä'), /visible ASCII/);
});

test('secrets on the way in the clear are a warning', () => {
  const { config, mistakes } = parsed(
    "  otlp: { endpoint: 'http://collector.example:4318', headers: [{ name: x-key, secret: abc }] }",
  );
  assert.ok(config !== null);
  assert.match(JSON.stringify(mistakes), /others can read/);
  for (const endpoint of ['https://c.example', 'http://127.0.0.1:4318', 'http://[::1]:4318', 'http://localhost:4318']) {
    const given = parsed(`  otlp: { endpoint: '${endpoint}', headers: [{ name: x-key, secret: abc }] }`);
    assert.deepEqual(given.mistakes, []);
  }
});

test('traces and metrics may go to collectors of their own, with headers of their own', () => {
  const { config, mistakes } = parsed(
    `  otlp:
    endpoint: https://c.example
    headers: [{ name: x-key, secret: of-all }]
    traces: { endpoint: 'https://t.example/v1/traces', headers: [{ name: X-Own, secret: 'env:OWN' }] }
    metrics: { endpoint: 'https://m.example/api/v1/push', headers: [] }`,
    { OWN: 'do-not-tell' },
  );
  assert.deepEqual(mistakes, []);
  const { otlp } = config!.telemetry;
  assert.deepEqual([otlp!.traces!.endpoint, otlp!.metrics!.endpoint], ['https://t.example/v1/traces', 'https://m.example/api/v1/push']);
  assert.deepEqual(config!.otlpHeaders, { all: { 'x-key': 'of-all' }, traces: { 'x-own': 'do-not-tell' }, metrics: {} });
  assert.doesNotMatch(configText(config!), /of-all|do-not-tell/);
  says("  otlp: { endpoint: 'https://c.example', metrics: { headers: [] } }", /endpoint of its own/);
  says("  otlp: { endpoint: 'https://c.example', traces: { endpoint: 'https://t.example/?a=b' } }", /whole address/);
  says("  otlp: { endpoint: 'https://c.example', traces: { endpoint: 'https://t.example', headers: [{ name: a, secret: 'env:NONE' }] } }", /NONE is not set/);
  const open = "  otlp: { endpoint: 'https://c.example', headers: [{ name: x-key, secret: abc }], metrics: { endpoint: 'http://m.example/' } }";
  assert.match(JSON.stringify(parsed(open).mistakes), /others can read/);
}); // prettier-ignore
