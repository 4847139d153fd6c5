/**
 * Where a filter is in Redis: in segments, one string each, that together are the body of a blocked filter, byte for byte. All bits
 * of a key are in one block and so in one segment: a question is one command on one key, and a cluster has the segments spread
 * over its servers.
 *
 * Behind its blocks a segment has a line of text: four letters drawn by lot when it was made, then which segment of which filter it is.
 * Whoever opens the filter remembers the four letters, and every command reads them too: a segment that was evicted or flushed is found
 * out at once, also if somebody made it anew since, and never taken for one without keys.
 *
 * A segment is made aside and then renamed, so that of several who make it one does. The first segment is made first, and says so until
 * all are there (`m`, then `r`): processes that make the same filter at the same time help each other, and a segment that is missing
 * later is missed.
 *
 * Redis counts a byte's bits from the highest, filters from the lowest.
 */
import { randomBytes, randomUUID } from 'node:crypto';
import type { RedisDriver } from '../drivers/redis.ts';
import { SpillwayError } from '../kernel/errors.ts';
import { invalid } from '../kernel/options.ts';
import { bitOf, BLOCK_BITS, blockOf, nextBits } from './blocked.ts';
import { damaged, type ImageHeader } from './image.ts';

const BLOCK_BYTES = BLOCK_BITS / 8;
const MAKING = 'm';
const READY = 'r';
/** 24 bits by lot, as letters: a word of 32 bits that is never 0. */
const mark = (): string => randomBytes(3).toString('base64url');
const MARK_LETTERS = 4;
/** Sent at once: large enough that the way does not count, small enough that nobody waits long behind it. */
const RANGE_BYTES = 2 ** 20;
/** What a merge, or the making of a segment, leaves when its process ends is gone after that. */
const SPARE_MS = 600_000;

export interface SegmentsOptions {
  readonly driver: RedisDriver;
  /** What the names of all segments begin with. */
  readonly name: string;
  /** Of the whole filter. */
  readonly header: ImageHeader;
  readonly segmentBytes: number;
}

export class RedisSegments {
  readonly count: number;
  readonly #driver: RedisDriver;
  readonly #name: string;
  readonly #header: ImageHeader;
  readonly #blocks: number;
  readonly #blocksEach: number;
  /** Of each segment the four letters it had when the filter was opened, as a number. */
  #marks: readonly number[] = [];

  constructor({ driver, name, header, segmentBytes }: SegmentsOptions) {
    this.#driver = driver;
    this.#name = name;
    this.#header = header;
    this.#blocks = header.bodyBytes / BLOCK_BYTES;
    this.#blocksEach = Math.min(this.#blocks, segmentBytes / BLOCK_BYTES);
    this.count = Math.ceil(this.#blocks / this.#blocksEach);
  }

  /** Braces: in a cluster each segment is where its own name says, and what belongs to it with it. */
  #key(segment: number): string {
    return `{${this.#name}:${segment}}`;
  }

  #bytes(segment: number): number {
    return Math.min(this.#blocksEach, this.#blocks - segment * this.#blocksEach) * BLOCK_BYTES;
  }

  segmentOf(low: number): number {
    return Math.floor(blockOf(low, this.#blocks) / this.#blocksEach);
  }

  /** What is behind the mark of a segment. */
  #line(segment: number): string {
    const { capacity, falsePositiveRate, probes, seed } = this.#header;
    const words = [...seed].map((word) => (word >>> 0).toString(16)).join('.');
    return (
      `spwbloom 1 blocked capacity=${capacity} rate=${falsePositiveRate} blocks=${this.#blocks} probes=${probes} ` +
      `seed=${words} segment=${segment}/${this.count} `
    );
  }

  async #send(segment: number, name: string, args: readonly (string | Buffer)[], signal: AbortSignal) {
    const key = this.#key(segment);
    return this.#driver.command({ command: [name, key, ...args], key, waiting: { signal } });
  }

  /** Makes the segments, or finds them made. */
  async open(signal: AbortSignal): Promise<void> {
    const all = [...Array(this.count).keys()];
    const read = (): Promise<string[]> =>
      Promise.all(
        all.map(async (segment) =>
          String(await this.#send(segment, 'GETRANGE', [String(this.#bytes(segment)), '-1'], signal)),
        ),
      );
    const lineOf = (segment: number): string | undefined => lines[segment]?.slice(MARK_LETTERS);

    let lines = await read();
    if (lines.every((line) => line === '')) {
      await this.#make(0, MAKING, signal);
      lines = await read();
    }
    if (lineOf(0) === this.#line(0) + MAKING) {
      const missing = all.filter((segment) => lines[segment] === '');
      await Promise.all(missing.map((segment) => this.#make(segment, READY, signal)));
      // Whoever made one may have ended before he did this.
      await Promise.all(all.map((segment) => this.#send(segment, 'PERSIST', [], signal)));
      await this.#send(0, 'SETRANGE', [String(this.#bytes(0) + lines[0]!.length - 1), READY], signal);
      lines = await read();
    }
    for (const segment of all) {
      if (lineOf(segment) === this.#line(segment) + READY) continue;
      if (lines[segment] === '' && all.some((other) => lineOf(other) === this.#line(other) + READY)) {
        throw this.#gone(segment);
      }
      throw invalid(
        `“${this.#key(segment)}” is not segment ${segment} of this filter: it was made with another capacity, rate, seed or size of segments. ` +
          'Use the same everywhere, or another name.',
      );
    }
    this.#marks = lines.map((line) => Buffer.from(line).readUInt32BE(0));
  }

  /** Makes a segment if there is none. */
  async #make(segment: number, state: string, signal: AbortSignal): Promise<void> {
    const key = this.#key(segment);
    const bytes = String(this.#bytes(segment));
    const aside = `${key}:make:${randomUUID()}`;
    const send = (...command: [name: string, ...args: string[]]) =>
      this.#driver.command({ command, key, waiting: { signal } });
    await send('SET', aside, '', 'PX', String(SPARE_MS));
    await send('SETRANGE', aside, bytes, mark() + this.#line(segment) + state);
    if (Number(await send('RENAMENX', aside, key)) === 0) {
      // What is there without a line is of somebody who added and did not know yet that the segment is gone.
      if ((await send('GETRANGE', key, bytes, '-1')) === '') await send('RENAME', aside, key);
      else await send('UNLINK', aside);
    }
    await send('PERSIST', key);
  }

  #gone(segment: number): SpillwayError {
    return damaged(
      `segment ${segment} of ${this.count}, “${this.#key(segment)}”, is gone from Redis (evicted, flushed or removed), or was made anew since this filter was opened; \`remove\` it, make it anew from what it was made of, and open it again`,
    );
  }

  /** The bits of hashes of one segment, read or set: for each hash, whether all of them were set. */
  async bits(verb: 'GET' | 'SET', segment: number, hashes: readonly number[], signal: AbortSignal): Promise<boolean[]> {
    const { probes } = this.#header;
    const from = segment * this.#blocksEach;
    const args = ['GET', 'u32', String(this.#bytes(segment) * 8)];
    for (let at = 0; at < hashes.length; at += 2) {
      const start = (blockOf(hashes[at + 1]!, this.#blocks) - from) * BLOCK_BITS;
      for (let probe = probes, bits = hashes[at]!; probe > 0; probe--) {
        args.push(verb, 'u1', String(start + (bitOf(bits) ^ 7)));
        if (verb === 'SET') args.push('1');
        bits = nextBits(bits);
      }
    }
    const name = verb === 'GET' ? 'BITFIELD_RO' : 'BITFIELD';
    const found = (await this.#send(segment, name, args, signal)) as readonly (number | string)[];
    if (Number(found[0]) !== this.#marks[segment]) throw this.#gone(segment);
    return Array.from({ length: hashes.length / 2 }, (_, index) => {
      for (let at = 1 + index * probes; at <= (index + 1) * probes; at++) if (Number(found[at]) === 0) return false;
      return true;
    });
  }

  /** Adds the bits of a body to a segment, all at one moment, so that whoever adds meanwhile loses nothing. */
  async merge(segment: number, body: Uint8Array, spare: string, signal: AbortSignal): Promise<void> {
    const start = segment * this.#blocksEach * BLOCK_BYTES;
    const bytes = this.#bytes(segment);
    const waiting = { signal };
    const key = this.#key(segment);
    const aside = `${key}:${spare}`;
    const send = (...command: [name: string, ...args: (string | Buffer)[]]) =>
      this.#driver.command({ command, key, waiting });
    try {
      await send('SET', aside, '', 'PX', String(SPARE_MS));
      for (let at = 0; at < bytes; at += RANGE_BYTES) {
        const part = body.subarray(start + at, start + Math.min(bytes, at + RANGE_BYTES));
        await send('SETRANGE', aside, String(at), Buffer.from(part));
      }
      await this.bits('GET', segment, [], signal);
      // One that was evicted on the way and begun anew by the next range has no end.
      if (Number(await send('PTTL', aside)) < 0) throw this.#lostOnTheWay(segment);
      await send('BITOP', 'OR', key, key, aside);
    } catch (error) {
      await send('UNLINK', aside).catch(() => {});
      throw error;
    }
    // It was still there at that moment.
    if (Number(await send('UNLINK', aside)) !== 1) throw this.#lostOnTheWay(segment);
  }

  #lostOnTheWay(segment: number): SpillwayError {
    return new SpillwayError(
      'STORE_UNAVAILABLE',
      `What was to be merged into segment ${segment} of ${this.count}, “${this.#key(segment)}”, was evicted by Redis, or took longer than ${SPARE_MS / 60_000} minutes; merge again.`,
      { retryable: true },
    );
  }

  /** Copies a segment's blocks to their place in a body. */
  async read(segment: number, body: Uint8Array, signal: AbortSignal): Promise<void> {
    const start = segment * this.#blocksEach * BLOCK_BYTES;
    const bytes = this.#bytes(segment);
    for (let at = 0; at < bytes; at += RANGE_BYTES) {
      const end = Math.min(bytes, at + RANGE_BYTES) - 1;
      const part = (await this.#driver.command({
        command: ['GETRANGE', this.#key(segment), String(at), String(end)],
        key: this.#key(segment),
        bytes: true,
        waiting: { signal },
      })) as Buffer;
      if (part.length !== end - at + 1) throw this.#gone(segment);
      body.set(part, start + at);
    }
    await this.bits('GET', segment, [], signal);
  }

  /** The first one last: until then nobody takes it for a filter that is not there. */
  async remove(signal: AbortSignal): Promise<void> {
    for (let segment = this.count - 1; segment >= 0; segment--) await this.#send(segment, 'UNLINK', [], signal);
  }
}
