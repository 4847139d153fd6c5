/**
 * The part of the forwarding fields that depends only on the listener and the Host, made once and shared by all connections
 * that ask for that Host.
 *
 * Invariants: a block's text is never changed after a request may have copied it, but for the first half of the ids, which
 * is renewed now and then; blocks are bounded in number and size, whatever Hosts are sent.
 *
 * Cost: about 2 µs to make, 0.5 KB to keep; a Host that is never repeated costs the making each time.
 */
import { equalBytes, ownBytes } from '../../kernel/bytes.ts';
import { writeHexWord } from '../../kernel/hex.ts';
import type { Random } from '../../kernel/random.ts';

/** Hosts kept per listener and worker: 128 KB at most. */
const BLOCKS = 256;

/**
 * Requests that share the first 64 bits of their ids; the other 64 are drawn for each. Two of 2^16 equal: 2^-33, and
 * another first half follows.
 */
const USES_MAX = 65_536;

export interface BlockPlan {
  readonly pseudonym: string;
  readonly secure: boolean;
  readonly port: number;
  readonly xForwarded: boolean;
  readonly forwarded: boolean;
  readonly requestId: boolean;
  readonly traceparent: boolean;
}

/** A field line of the block: `[from, to)`; both 0 if it is not written. */
export interface Part {
  readonly from: number;
  readonly to: number;
}

const NO_PART: Part = { from: 0, to: 0 };

export class HostBlock {
  readonly host: Uint8Array;
  /** All of it, as an untrusted peer's request gets it; ends with `X-Forwarded-For: ` if that is written. */
  readonly bytes: Uint8Array;
  readonly via: Part;
  readonly requestId: Part;
  readonly traceparent: Part;
  readonly proto: Part;
  readonly forwardedHost: Part;
  readonly port: Part;
  readonly forwardedFor: Part;
  /** Digit of the version in `Via`. */
  readonly viaDigitAt: number;
  /** `;host="…";proto=…` and the line end. */
  readonly forwardedTail: Uint8Array;
  #uses = 0;

  constructor(plan: BlockPlan, host: Uint8Array, random: Random) {
    const name = Buffer.from(host.buffer, host.byteOffset, host.length).toString('latin1');
    const scheme = plan.secure ? 'https' : 'http';
    let text = '';
    const part = (wanted: boolean, line: string): Part => {
      if (!wanted) return NO_PART;
      const from = text.length;
      text += line;
      return { from, to: text.length };
    };
    const zeros = '0'.repeat(32);
    this.host = host;
    this.via = part(true, `Via: 1.1 ${plan.pseudonym}\r\n`);
    this.requestId = part(plan.requestId, `X-Request-Id: ${zeros}\r\n`);
    // Sampled (01): for a service that decides by its parent this changes nothing, and 00 would switch its traces off.
    this.traceparent = part(plan.traceparent, `traceparent: 00-${zeros}-${zeros.slice(16)}-01\r\n`);
    this.proto = part(plan.xForwarded, `X-Forwarded-Proto: ${scheme}\r\n`);
    this.forwardedHost = part(plan.xForwarded && name !== '', `X-Forwarded-Host: ${name}\r\n`);
    this.port = part(plan.xForwarded, `X-Forwarded-Port: ${plan.port}\r\n`);
    this.forwardedFor = part(plan.xForwarded, 'X-Forwarded-For: ');
    this.bytes = Uint8Array.from(text, (character) => character.charCodeAt(0));
    this.viaDigitAt = 'Via: 1.'.length;
    const hostPair = name === '' ? '' : `;host="${name}"`;
    this.forwardedTail = Uint8Array.from(`${hostPair};proto=${scheme}\r\n`, (character) => character.charCodeAt(0));
    this.#renew(random);
  }

  /** Called for each request, before the copy. */
  use(random: Random): void {
    this.#uses += 1;
    if (this.#uses > USES_MAX) this.#renew(random);
  }

  #renew(random: Random): void {
    this.#uses = 0;
    const high = random.int32();
    const low = random.int32();
    const { bytes, requestId, traceparent } = this;
    const starts = [requestId.to === 0 ? -1 : requestId.from + 'X-Request-Id: '.length];
    starts.push(traceparent.to === 0 ? -1 : traceparent.from + 'traceparent: 00-'.length);
    for (const at of starts) if (at !== -1) writeHexWord(low, bytes, writeHexWord(high, bytes, at));
  }
}

/** The blocks of one listener: a table without chains, where a newer Host takes the place of another. */
export class HostBlocks {
  readonly #plan: BlockPlan;
  readonly #random: Random;
  readonly #blocks: (HostBlock | undefined)[] = new Array<HostBlock | undefined>(BLOCKS).fill(undefined);

  constructor(plan: BlockPlan, random: Random) {
    this.#plan = plan;
    this.#random = random;
  }

  get(buffer: Uint8Array, from: number, to: number): HostBlock {
    let hash = to - from;
    for (let at = from; at < to; at += 1) hash = (Math.imul(hash, 31) + buffer[at]!) | 0;
    const place = (hash ^ (hash >>> 8)) & (BLOCKS - 1);
    const kept = this.#blocks[place];
    if (kept !== undefined && equalBytes(buffer, from, to, kept.host)) return kept;
    const made = new HostBlock(this.#plan, ownBytes(buffer, from, to), this.#random);
    this.#blocks[place] = made;
    return made;
  }
}
