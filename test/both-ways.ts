/**
 * A head parsed in both ways that there are: by the loop of field-lines.ts, and with field-scan.ts before it. They must agree in all
 * that they say.
 */
import assert from 'node:assert/strict';
import { type FieldRoom, FieldScan } from '../src/gateway/l7/field-scan.ts';
import { Head, OK } from '../src/gateway/l7/head.ts';

export type Parse = (head: Head, buffer: Uint8Array, start: number, end: number) => number;

const lists = ['lineStart', 'nameStart', 'nameEnd', 'valueStart', 'valueEnd', 'lineEnd', 'id', 'drop'] as const;
const ignored = new Set<string>([...lists, 'buffer', 'room']);
const words = Object.keys(new Head()).filter((key) => !ignored.has(key)) as (keyof Head)[];

/** All that a head says. */
function stateOf(head: Head): object {
  const { count } = head;
  const fields = Object.fromEntries(lists.map((key) => [key, [...head[key].subarray(0, count)]]));
  return { ...Object.fromEntries(words.map((key) => [key, head[key]])), ...fields };
}

function isSame(one: Head, other: Head): boolean {
  for (const key of words) if (one[key] !== other[key]) return false;
  for (const key of lists) for (let i = 0; i < one.count; i += 1) if (one[key][i] !== other[key][i]) return false;
  return true;
}

export class BothWays {
  /** The read buffer of the scan. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** How often the scan accepted what it was given. */
  accepted = 0;
  /** How often it left the decision to the loop. */
  left = 0;
  readonly #scanned: Head;

  constructor() {
    const scan = FieldScan.create();
    assert.ok(scan !== null, 'this engine has no vector instructions');
    this.bytes = scan.bytes;
    this.#scanned = new Head(this.#counted(scan.requestRoom));
  }

  #counted(room: FieldRoom): FieldRoom {
    const lines: FieldRoom['lines'] = (...given) => {
      const found = room.lines(...given);
      if (found === -1) this.left += 1;
      else this.accepted += 1;
      return found;
    };
    return { ...room, lines };
  }

  /** Parses `[start, end)` of the read buffer with both; the verdict, and all of it in `head`, which has no room. */
  parse(parse: Parse, head: Head, start: number, end: number): number {
    const { bytes } = this;
    const verdict = parse(head, bytes, start, end);
    const scanned = this.#scanned;
    const again = parse(scanned, bytes, start, end);
    if (again !== verdict || !isSame(scanned, head)) {
      const text = JSON.stringify(Buffer.from(bytes.subarray(start, end)).toString('latin1'));
      assert.deepEqual({ verdict: again, ...stateOf(scanned) }, { verdict, ...stateOf(head) }, text);
      assert.fail(`they differ, and it cannot be seen in what: ${text}`);
    }
    return verdict;
  }

  /** The same for bytes that are elsewhere: `head` has the offsets in `buffer`, which must be no larger than the read buffer. */
  parseCopy(parse: Parse, head: Head, buffer: Uint8Array, start: number, end: number): number {
    this.bytes.set(buffer);
    const verdict = this.parse(parse, new Head(), start, end);
    assert.equal(parse(head, buffer, start, end), verdict);
    if (verdict === OK) assert.ok(isSame(this.#scanned, head));
    return verdict;
  }
}
