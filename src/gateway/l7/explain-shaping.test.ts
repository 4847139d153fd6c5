/** `explain` for routes that do more than lead to one service: it says what happens. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CellStore, compileSnapshot, parseConfig } from '../config/index.ts';
import { explain, type Explanation } from './explain.ts';

function asked(route: string, url: string, headers: readonly (readonly [string, string])[] = []): Explanation {
  const text = `
listeners: [{ name: web, address: '127.0.0.1:8080' }]
services:
  - { name: old, endpoints: ['127.0.0.1:9001'] }
  - { name: new, endpoints: ['127.0.0.1:9002'] }
routes: [${route}]`;
  const { config, mistakes } = parseConfig(text, { file: 'f.yaml' });
  assert.ok(config !== null, JSON.stringify(mistakes));
  const options = { version: 1, cells: new CellStore(1), ticketSecret: new Uint8Array(32), pseudonym: 'p' };
  return explain(compileSnapshot(config, options), { method: 'GET', url, headers });
}

const SPLIT =
  '{ split: { by: "header:X-User", arms: [{ service: old, weight: 90 }, { service: new, weight: 10, name: canary }] } }';

test('the arm of a split, and why', () => {
  const arms = new Set<string | null>();
  for (let user = 0; user < 60; user++) {
    const found = asked(SPLIT, 'http://a/', [['X-User', `u${user}`]]);
    arms.add(found.arm);
    assert.equal(found.service?.name, found.arm === 'canary' ? 'new' : 'old');
    assert.match(
      found.notes.join(' '),
      new RegExp(`Its key keeps it in arm ${found.arm}, of old 90 %, canary 10 %\\.`),
    );
  }
  assert.deepEqual(arms, new Set(['old', 'canary']));
  const without = asked(SPLIT, 'http://a/');
  assert.equal(without.arm, 'old');
  assert.match(without.notes.join(' '), /It has no key, so the arm is a matter of chance/);
});

test('the path and host that are sent on, and who gets a copy', () => {
  const route =
    '{ match: { path: "/u/{id}/*" }, service: old, rewrite: { path: "/v2/{id}{/rest}", host: b.example }, mirror: { service: new, share: 5% } }';
  const { notes, refusal } = asked(route, 'http://a/u/7/x?y');
  assert.equal(refusal, null);
  assert.ok(notes.includes('The path that is sent on is /v2/7/x.'), notes.join(' '));
  assert.ok(notes.includes('The Host that is sent on is b.example.'));
  assert.ok(notes.includes('A copy goes to new with a chance of 5 %; the answer to it is thrown away.'));
});

test('what the route answers by itself', () => {
  const redirect = asked('{ redirect: { to: "https://{host}{path}?{query}" } }', 'http://shop.example/a?b');
  assert.deepEqual(redirect.answer, { status: 308, location: 'https://shop.example/a?b' });
  assert.deepEqual([redirect.service, redirect.refusal], [null, null]);
  const fixed = asked('{ respond: { status: 503, body: later } }', 'http://a/');
  assert.deepEqual(fixed.answer, { status: 503, location: null });
});
