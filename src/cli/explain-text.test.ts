import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CellStore, compileSnapshot, resolveConfig } from '../gateway/config/index.ts';
import { publishBreaker } from '../gateway/breakers/service-breaker.ts';
import { explain } from '../gateway/l7/explain.ts';
import { explanationLines } from './explain-text.ts';

test('a breaker is said with its service, and that it refuses', () => {
  const { config } = resolveConfig({
    listeners: [{ name: 'web', address: '127.0.0.1:0' }],
    services: [{ name: 'shop', endpoints: ['127.0.0.1:9001'], breaker: {} }],
    routes: [{ name: 'all', service: 'shop' }],
  });
  const options = { version: 1, cells: new CellStore(2), ticketSecret: new Uint8Array(32), pseudonym: 'p' };
  const snapshot = compileSnapshot(config!, options);
  const known = {
    endpoint: () => ({ health: 'up', reason: 'status 200' }) as const,
    breaker: () => '60 % of 20 calls failed',
  };
  const lines = (): string[] =>
    explanationLines(explain(snapshot, { method: 'GET', url: '/' }, known), 'a file', (_tone, text) => text);
  assert.ok(lines().includes('  ✓ breaker closed: 60 % of 20 calls failed'));
  publishBreaker(snapshot.services[0]!.breaker!.cell, { phase: 'open', generation: 1, untilMs: 0 });
  const told = lines();
  assert.ok(told.includes('  ✗ breaker open: 60 % of 20 calls failed'));
  const refused = told.findIndex((line) => line.startsWith('→ refused: 503 breaker_open.'));
  assert.equal(told[refused + 1], '  The breaker of shop is open: 60 % of 20 calls failed.');
});
