import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  METHOD_DELETE,
  METHOD_GET,
  METHOD_HEAD,
  METHOD_OPTIONS,
  METHOD_OTHER,
  METHOD_PATCH,
  METHOD_POST,
  METHOD_PUT,
} from './head.ts';
import { mayRetry } from './retry.ts';

const idempotent = [METHOD_GET, METHOD_HEAD, METHOD_PUT, METHOD_DELETE, METHOD_OPTIONS];
const others = [METHOD_POST, METHOD_PATCH, METHOD_OTHER];

test('RFC 9110 §9.2.2: what may be done twice is sent again, if all of it is here', () => {
  for (const methodId of idempotent) {
    assert.equal(mayRetry({ methodId, whole: true, attempts: 1 }, true, 3), true);
    assert.equal(mayRetry({ methodId, whole: false, attempts: 1 }, true, 3), false);
  }
  for (const methodId of others) assert.equal(mayRetry({ methodId, whole: true, attempts: 1 }, true, 3), false);
});

test('what was not sent goes elsewhere, whatever it is', () => {
  for (const methodId of [...idempotent, ...others]) {
    for (const whole of [true, false]) assert.equal(mayRetry({ methodId, whole, attempts: 1 }, false, 3), true);
  }
});

test('no more attempts than allowed', () => {
  for (const [attempts, attemptsMax] of [
    [3, 3],
    [1, 1],
    [4, 3],
  ] as const) {
    assert.equal(mayRetry({ methodId: METHOD_GET, whole: true, attempts }, false, attemptsMax), false);
  }
});
