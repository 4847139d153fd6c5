import assert from 'node:assert/strict';
import { test } from 'node:test';
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

test('traces: defaults, and off without a word', () => {
  assert.deepEqual(parsed('  traces: {}').config!.telemetry, { traces: { sample: 0.01, slow: 1000, perSecond: 100 } });
  assert.deepEqual(parseConfig(base).config!.telemetry, {});
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
  assert.deepEqual(config!.otlpHeaders, { authorization: 'Basic do-not-tell' });
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
