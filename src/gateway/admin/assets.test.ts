import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import type { IncomingHttpHeaders } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { buildDashboard } from '../../../scripts/dashboard.ts';
import { Assets } from './assets.ts';

const home = mkdtempSync(join(tmpdir(), 'spillway-assets-'));
process.on('exit', () => rmSync(home, { recursive: true, force: true }));
await buildDashboard(home);
const assets = new Assets(pathToFileURL(`${home}/`));
const names = ['index.html', ...readdirSync(join(home, 'assets'))];

function answer(name: string, headers: IncomingHttpHeaders = {}) {
  const given = assets.answer(name, headers);
  assert.ok(given.kind === 'answer');
  const { body, ...rest } = given;
  assert.ok(typeof body === 'string' || Buffer.isBuffer(body));
  return { ...rest, headers: given.headers ?? {}, body: Buffer.from(body) };
}

/** What a browser has to fetch to show the dashboard. */
const BYTES_MAX = 90 * 1024;

test('everything that is served is at most 90 kB, compressed', () => {
  const sizes = names.map((name) => [name, answer(name, { 'accept-encoding': 'gzip' }).body.length] as const);
  const total = sizes.reduce((sum, [, bytes]) => sum + bytes, 0);
  assert.ok(
    total > 10_000 && total <= BYTES_MAX,
    `${total} B: ${sizes.map(([name, bytes]) => `${name} ${bytes}`).join(', ')}`,
  );
});

test('the page names each file by what it holds, so that a browser may keep it for ever', () => {
  const page = answer('index.html').body.toString();
  const named = [...page.matchAll(/"\/assets\/([^"]+)"/g)].map(([, name]) => name!);
  assert.deepEqual(named.toSorted(), names.slice(1).toSorted());
  for (const name of named) {
    assert.match(name, /\.[\w-]{10}\.(js|css|svg)$/);
    assert.match(answer(name).headers['Cache-Control']!, /immutable/);
  }
  assert.equal(answer('index.html').headers['Cache-Control'], 'no-cache');
  assert.doesNotMatch(page, /<script(?![^>]*\bsrc=)|<style|\son\w+=|\sstyle=/);
});

test('a file is compressed for whoever takes it so, and not sent to whoever has it', () => {
  for (const name of names) {
    const plain = answer(name);
    const zipped = answer(name, { 'accept-encoding': 'br, gzip;q=0.5' });
    assert.equal(plain.headers['Content-Encoding'], undefined);
    assert.equal(zipped.headers['Content-Encoding'], 'gzip');
    assert.deepEqual(gunzipSync(zipped.body), plain.body);
    assert.equal(answer(name, { 'accept-encoding': 'gzip;q=0' }).headers['Content-Encoding'], undefined);
    const etag = plain.headers['ETag']!;
    const again = answer(name, { 'if-none-match': `"other", ${etag}`, 'accept-encoding': 'gzip' });
    assert.deepEqual([again.status, again.body.length], [304, 0]);
    assert.equal(answer(name, { 'if-none-match': '"other"' }).status, 200);
  }
});

test('the page may do nothing but what it brings', () => {
  const policy = answer('index.html').headers['Content-Security-Policy']!;
  for (const part of [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "connect-src 'self'",
    "frame-ancestors 'none'",
  ]) {
    assert.ok(policy.split('; ').includes(part), part);
  }
  assert.doesNotMatch(policy, /unsafe|\*/);
});

test('what is not there is said, and so is a dashboard that was not built', () => {
  for (const name of ['other.js', '../index.html', '..%2findex.html', 'toString', '']) {
    const given = assets.answer(name, {});
    assert.equal(given.kind === 'problem' && given.problem.status, 404, name);
  }
  const none = new Assets(new URL('nothing/', pathToFileURL(`${home}/`))).answer('index.html', {});
  assert.equal(none.kind === 'problem' && none.problem.status, 503);
  assert.match(none.kind === 'problem' ? none.problem.detail : '', /npm run prepare/);
});
