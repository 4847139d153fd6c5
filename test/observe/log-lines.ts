/** The log of a test, as its lines say it. */
import assert from 'node:assert/strict';
import fs from 'node:fs';

export type LogLine = Readonly<Record<string, unknown>>;

/** All of a file, whose last line must be whole. */
export function readLines(file: string): LogLine[] {
  const lines = fs.readFileSync(file, 'utf8').split('\n');
  assert.equal(lines.pop(), '', 'the last line is whole');
  return lines.map((line) => JSON.parse(line) as LogLine);
}

export function messages(lines: readonly LogLine[]): unknown[] {
  return lines.map(({ msg }) => msg);
}
