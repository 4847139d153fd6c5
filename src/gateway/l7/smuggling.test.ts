/** Every row of the smuggling table: whole, byte by byte, and cut anywhere, with the same verdict. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { requestRows, responseRows } from '../../../test/smuggling-table.ts';
import { refusalNumber, refusals } from '../slots.ts';
import { Head, MORE, OK } from './head.ts';
import { parseRequestHead } from './request-head.ts';
import { parseResponseHead } from './response-head.ts';

const requestLimits = {
  requestLineBytesMax: 8192,
  headerBytesMax: 32768,
  headerFieldsMax: 100,
  underscoresInNames: 'reject',
} as const;
const responseLimits = { headerBytesMax: 32768, headerFieldsMax: 100 };

const word = (verdict: number): string => (verdict === OK ? 'ok' : (refusals[verdict]?.word ?? `verdict ${verdict}`));

/**
 * Parses every prefix of the bytes. Each gives MORE until one gives the verdict, and from there all give the same: so the
 * bytes that come later, and where they are cut, change nothing.
 */
function verdictOf(parse: (end: number) => number, length: number): number {
  let verdict = MORE;
  for (let end = 0; end <= length; end += 1) {
    const now = parse(end);
    if (verdict !== MORE) assert.equal(now, verdict, `after ${end} bytes ${word(now)}, before ${word(verdict)}`);
    verdict = now;
  }
  return verdict;
}

for (const { title, bytes, verdict } of requestRows) {
  test(`request, ${title}: ${verdict}`, () => {
    // Not at the start of the buffer, and with other bytes behind it: neither may matter.
    const buffer = Buffer.from(`\n\r ${bytes}\0\n\r`, 'latin1');
    const head = new Head();
    const found = verdictOf((end) => parseRequestHead(head, buffer, 3, 3 + end, requestLimits), bytes.length);
    assert.equal(word(found), verdict, head.problem);
    if (verdict === 'ok') assert.equal(head.problem, '');
    else assert.match(head.problem, /\.$/);
  });
}

for (const { title, bytes, ok } of responseRows) {
  test(`response, ${title}: ${ok ? 'taken' : 'refused'}`, () => {
    const buffer = Buffer.from(`\n\r ${bytes}\0\n\r`, 'latin1');
    const head = new Head();
    const found = verdictOf((end) => parseResponseHead(head, buffer, 3, 3 + end, responseLimits, false), bytes.length);
    assert.equal(found, ok ? OK : refusalNumber('upstream_protocol'), head.problem);
    assert.equal(head.problem === '', ok);
  });
}
