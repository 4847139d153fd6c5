/** Every row of the smuggling table: whole, byte by byte, and cut anywhere, with the same verdict. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BothWays } from '../../../test/both-ways.ts';
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

const both = new BothWays();

type Parse = (buffer: Buffer, start: number, end: number) => number;

/** What lies behind the bytes that have arrived: the rest of an older message, or anything. */
const leftovers = ['\n\r\n', '\0', 'A:', ' H'];

/**
 * Parses every prefix of the bytes, each with different leftovers behind it and not at the start of its buffer. Each gives
 * MORE until one gives the verdict, and from there all give the same: so the bytes that come later, and where they are cut,
 * change nothing.
 */
function verdictOf(parse: Parse, bytes: string): number {
  let verdict = MORE;
  for (let end = 0; end <= bytes.length; end += 1) {
    const found = leftovers.map((leftover) => {
      const buffer = Buffer.from(`\n\r ${bytes.slice(0, end)}${leftover}`, 'latin1');
      return parse(buffer, 3, 3 + end);
    });
    const now = found[0]!;
    for (const other of found) assert.equal(word(other), word(now), `after ${end} bytes, by what lies behind them`);
    if (verdict !== MORE) assert.equal(word(now), word(verdict), `after ${end} bytes`);
    verdict = now;
  }
  return verdict;
}

/** The reason is the one that the title says, where the verdict alone could have others. */
function expected(title: string): RegExp {
  if (title.includes('bare LF')) return /bare LF/;
  if (title.includes('bare CR')) return /CR/;
  if (title.includes('folded')) return /folded/;
  return title.includes('before the colon') ? /before the colon/ : /\.$/;
}

for (const { title, bytes, verdict } of requestRows) {
  test(`request, ${title}: ${verdict}`, () => {
    const head = new Head();
    const parse: Parse = (...given) =>
      both.parseCopy((...each) => parseRequestHead(...each, requestLimits), head, ...given);
    const found = verdictOf(parse, bytes);
    assert.equal(word(found), verdict, head.problem);
    if (verdict === 'ok') assert.equal(head.problem, '');
    else assert.match(head.problem, expected(title));
  });
}

for (const { title, bytes, ok } of responseRows) {
  test(`response, ${title}: ${ok ? 'taken' : 'refused'}`, () => {
    const head = new Head();
    const parse: Parse = (...given) =>
      both.parseCopy((...each) => parseResponseHead(...each, responseLimits, false), head, ...given);
    const found = verdictOf(parse, bytes);
    assert.equal(found, ok ? OK : refusalNumber('upstream_protocol'), head.problem);
    assert.equal(head.problem === '', ok);
  });
}
