/**
 * The fields this gateway adds to a request about who asked and how: `X-Forwarded-*`, `X-Real-IP`, `Forwarded`, `Via`,
 * `X-Request-Id`, `traceparent`. And the removal of those a client has no right to send.
 *
 * From a peer that is not a trusted proxy every such field is taken out and written anew. From a trusted one the chains are
 * continued and the single values passed on, if they have the right form. The client's address comes from one chain only,
 * `X-Forwarded-For`, or `Forwarded` where the listener writes that alone: a proxy that writes the one passes a forged
 * other on. A field that is switched off is not written; `X-Forwarded-*` and `Forwarded` of untrusted peers go all the same.
 *
 * Invariants: no byte of a client reaches a field written here but for the Host (checked by the parser) and what has been
 * validated; ids are unique whatever the client sends. Where request id and trace id are both made here they are the
 * same 32 digits, so that there is one thing to look for.
 *
 * Cost: for an untrusted peer that repeats its Host one copy of a block made before, two addresses and 48 digits, no
 * allocation (forwarded.bench.ts). A connection holds about 200 B; blocks are shared and bounded.
 * Sources: RFC 9110 §7.6.3, RFC 7239, W3C Trace Context.
 */
import { ascii, copyBytes, equalBytes, ownBytes } from '../../kernel/bytes.ts';
import { writeHexWord } from '../../kernel/hex.ts';
import { Address, type AddressSet, writeAddress } from '../../kernel/ip-address.ts';
import type { Random } from '../../kernel/random.ts';
import { refusalNumber } from '../slots.ts';
import type { ListenerPlan } from '../snapshot.ts';
import { ClientFinder } from '../../kernel/client-address.ts';
import { field } from './fields.ts';
import { type HostBlock, HostBlocks, type Part } from './forwarding-block.ts';
import { PassedOn, writeLine } from './forwarding-passed.ts';
import { TRACE_ID_OFFSET } from './forwarding-values.ts';
import { type Head, OK } from './head.ts';
import { RequestTrace } from '../tracing/request-trace.ts';
import type { Tracer } from '../tracing/tracer.ts';
import { COMMA, COLON, equalsFolded, SP, TAB, ZERO } from './syntax.ts';

const REAL_IP = ascii('\r\nX-Real-IP: ');
const FORWARDED = ascii('Forwarded: ');
const FOR = ascii('for=');
const FOR_IPV6 = ascii('for="[');
const END_IPV6 = ascii(']"');
const CRLF = ascii('\r\n');
const UNKNOWN = ascii('unknown');
const LEFT_PARENTHESIS = 40;
const X_FORWARDED = 'x-forwarded-';

/** The longest text of an address. */
const ADDRESS_BYTES = 39;

/** From the trace id to the end of a traceparent line: `trace-id "-" parent-id "-" flags CRLF`. */
const TRACEPARENT_LINE_END = 32 + 1 + 16 + 1 + 2 + 2;

/** What `write` adds to the block, the tail and what is passed on: three addresses and the names around them. */
const ADDRESSES_BYTES = 3 * ADDRESS_BYTES + 48;

export interface ForwardingOptions {
  readonly plan: Pick<ListenerPlan, 'forwarding' | 'tls'>;
  /** The networks of `plan.trustedProxies`. */
  readonly trusted: AddressSet;
  /** Name of this gateway in `Via`. */
  readonly pseudonym: string;
  /** The port that was bound. */
  readonly port: number;
  readonly random: Random;
  /** Null: no spans are made of what is written. */
  readonly tracer: Tracer | null;
}

/** What is known about one connection, and about its request since the last `prepare` and `write`. */
export class Forwarding {
  /** The other end of the connection (or what the PROXY protocol says it is). */
  readonly peer: Address;
  /** The one client address that everything uses. */
  client: Address;
  /** `client` as text, `[0, clientLength)`. */
  clientText: Uint8Array;
  clientLength: number;

  /** Room that `write` needs at most. */
  room = 0;
  /** Where these lines are among the fields that are passed on, counted from the first; -1 if there is none. */
  userAgentOffset = -1;
  refererOffset = -1;
  /** Where `write` began, behind the fields of the client that are passed on. */
  start = 0;
  /** Where it put the request id in its output; both 0 if it was not asked to write one. */
  requestIdStart = 0;
  requestIdEnd = 0;
  /** Where it put the 32 digits of the trace id; 0 as above. */
  traceIdStart = 0;
  /** Which span of which trace this request is. */
  readonly trace = new RequestTrace();

  /** The request's Host and what goes with it. Null before the first request. */
  block: HostBlock | null = null;

  // For the writer alone.
  readonly peerText: Uint8Array;
  blocks: HostBlocks | null = null;
  /** What a trusted proxy passes on; null if the peer is not one. */
  passed: PassedOn | null = null;

  #peerLines: Uint8Array | null = null;

  constructor(peer: Address | null) {
    this.peer = peer ?? new Address();
    this.peerText = peer === null ? UNKNOWN : textOf(peer);
    this.client = this.peer;
    this.clientText = this.peerText;
    this.clientLength = this.peerText.length;
  }

  /** Of the next request nothing is known yet but where it comes from. */
  forget(): void {
    this.client = this.peer;
    this.clientText = this.peerText;
    this.clientLength = this.peerText.length;
  }

  /** The peer's address and who asks, as they follow the block for one that is not trusted. Made once, to be one copy for each request. */
  get peerLines(): Uint8Array {
    const { peerText } = this;
    this.#peerLines ??= new Uint8Array(Buffer.concat([peerText, REAL_IP, peerText, CRLF]));
    return this.#peerLines;
  }

  /** False if the other end has no address that can be read. */
  get isKnown(): boolean {
    return this.peerText !== UNKNOWN;
  }

  /** For the writer: from the next request on the peer is a trusted proxy, or is not. */
  trust(trusted: boolean): void {
    this.passed = trusted ? new PassedOn() : null;
    this.client = trusted ? new Address() : this.peer;
    this.clientText = trusted ? new Uint8Array(ADDRESS_BYTES) : this.peerText;
    this.clientLength = this.peerText.length;
    if (!trusted) return;
    this.client.copyFrom(this.peer);
    this.clientText.set(this.peerText);
  }
}

const textBuffer = new Uint8Array(ADDRESS_BYTES);

function textOf(address: Address): Uint8Array {
  // A copy of its exact size: up to 64 bytes live in the object itself.
  return ownBytes(textBuffer, 0, writeAddress(address, textBuffer, 0));
}

/** What becomes of a field, by its number: 1 goes when the peer is not trusted, 2 whoever sent it (it is written anew). */
function actionsOf({ forwarding }: ForwardingOptions['plan']): Uint8Array {
  const actions = new Uint8Array(256);
  const { xForwardedFor, xForwardedProto, xForwardedHost, xForwardedPort, xRealIp } = field;
  for (const id of [xForwardedFor, xForwardedProto, xForwardedHost, xForwardedPort, xRealIp]) {
    actions[id] = forwarding.xForwarded ? 2 : 1;
  }
  actions[field.forwarded] = forwarding.forwarded ? 2 : 1;
  // Nobody but a gateway in front may say that a request is a copy: a service may do less for one.
  actions[field.spillwayMirror] = 1;
  if (forwarding.requestId) actions[field.xRequestId] = 2;
  if (forwarding.traceparent) {
    actions[field.traceparent] = 2;
    actions[field.tracestate] = 1; // belongs to the traceparent it came with
  }
  return actions;
}

/** One for each listener and plan. */
export class ForwardingWriter {
  readonly #options: ForwardingOptions;
  readonly #pseudonym: Uint8Array;
  readonly #loop = refusalNumber('loop');
  readonly #actions: Uint8Array;
  readonly #blocks: HostBlocks;
  readonly #finder: ClientFinder;

  constructor(options: ForwardingOptions) {
    const { plan, pseudonym, port, random } = options;
    this.#options = options;
    this.#pseudonym = ascii(pseudonym);
    this.#actions = actionsOf(plan);
    this.#blocks = new HostBlocks({ ...plan.forwarding, pseudonym, port, secure: plan.tls !== null }, random);
    this.#finder = new ClientFinder(options.trusted);
  }

  /**
   * Looks at the fields of a request: marks those that are not passed on (`head.drop`), finds the client. OK, or the refusal
   * of a request that has been through this gateway before.
   */
  prepare(forwarding: Forwarding, head: Head): number {
    if (forwarding.blocks !== this.#blocks) this.#adopt(forwarding);
    if (head.viaCount > 0 && this.#isLoop(head)) return this.#loop;
    const { block } = forwarding;
    const { buffer, hostStart, hostEnd } = head;
    if (block === null || !equalBytes(buffer, hostStart, hostEnd, block.host)) {
      forwarding.block = this.#blocks.get(buffer, hostStart, hostEnd);
    }
    const made = forwarding.block as HostBlock;
    forwarding.room = made.bytes.length + made.forwardedTail.length + ADDRESSES_BYTES;
    if (forwarding.passed !== null) this.#readTrusted(forwarding, forwarding.passed, head);
    const least = forwarding.passed !== null ? 2 : 1;
    const { id, drop, count, nameStart, lineEnd } = head;
    const actions = this.#actions;
    let dropped = 0;
    forwarding.userAgentOffset = -1;
    forwarding.refererOffset = -1;
    for (let index = 0; index < count; index += 1) {
      const number = id[index]!;
      if (actions[number]! >= least || (number === 0 && least === 1 && isForwardedName(head, index))) drop[index] = 1;
      if (drop[index] === 1) dropped += lineEnd[index]! - nameStart[index]!;
      else if (number === field.userAgent && forwarding.userAgentOffset === -1) {
        forwarding.userAgentOffset = nameStart[index]! - nameStart[0]! - dropped;
      } else if (number === field.referer && forwarding.refererOffset === -1) {
        forwarding.refererOffset = nameStart[index]! - nameStart[0]! - dropped;
      }
    }
    return OK;
  }

  /** The connection's first request, or its first under another plan: whom to trust and what to say is in this one. */
  #adopt(forwarding: Forwarding): void {
    const { trusted } = this.#options;
    forwarding.trust(forwarding.isKnown && trusted.has(forwarding.peer));
    forwarding.block = null;
    forwarding.blocks = this.#blocks;
  }

  /** Writes the fields at `at`; there must be `forwarding.room` bytes. Call `prepare` for the same head first. */
  write(forwarding: Forwarding, head: Head, out: Uint8Array, at: number): number {
    const block = forwarding.block as HostBlock;
    const { passed } = forwarding;
    const { random } = this.#options;
    forwarding.start = at;
    forwarding.requestIdStart = 0;
    forwarding.requestIdEnd = 0;
    forwarding.traceIdStart = 0;
    // Of the request before, by another config: this one may be told of no trace.
    forwarding.trace.isTraced = false;
    block.use(random);
    const high = random.int32();
    const low = random.int32();
    if (passed === null) {
      out.set(block.bytes, at);
      if (head.minorVersion === 0) out[at + block.viaDigitAt] = ZERO;
      if (block.requestId.to !== 0) markRequestId(forwarding, out, at + block.requestId.to, high, low);
      if (block.traceparent.to !== 0) this.#beginTrace(forwarding, out, at + block.traceparent.to, high, low);
      at += block.bytes.length;
    } else at = this.#writeParts(forwarding, passed, head, out, at, high, low);
    const { xForwarded, forwarded } = this.#options.plan.forwarding;
    if (xForwarded && passed === null) {
      const lines = forwarding.peerLines;
      out.set(lines, at);
      at += lines.length;
    } else if (xForwarded) {
      at = copyBytes(forwarding.peerText, 0, forwarding.peerText.length, out, at);
      at = copyBytes(REAL_IP, 0, REAL_IP.length, out, at);
      at = copyBytes(forwarding.clientText, 0, forwarding.clientLength, out, at);
      at = copyBytes(CRLF, 0, 2, out, at);
    }
    return forwarded ? writeForwarded(forwarding, head, block, out, at) : at;
  }

  /**
   * For a trusted peer: the same lines in the same order, in place of ours those of the peer that are fit.
   * WHY seven parameters: the hot path; an options object would be made for each request.
   */
  #writeParts(
    forwarding: Forwarding,
    passed: PassedOn,
    head: Head,
    out: Uint8Array,
    at: number,
    high: number,
    low: number,
  ): number {
    const block = forwarding.block as HostBlock;
    const via = at;
    at = copyBytes(block.bytes, 0, block.via.to, out, at);
    if (head.minorVersion === 0) out[via + block.viaDigitAt] = ZERO;
    if (block.requestId.to !== 0) {
      at = writePart(block, block.requestId, head, passed.requestId, out, at);
      if (passed.requestId === -1) markRequestId(forwarding, out, at, high, low);
      else {
        forwarding.requestIdEnd = at - 2;
        forwarding.requestIdStart = at - 2 - (head.valueEnd[passed.requestId]! - head.valueStart[passed.requestId]!);
      }
    }
    if (block.traceparent.to !== 0) at = this.#writeTrace(forwarding, passed, head, out, at, high, low);
    at = writePart(block, block.proto, head, passed.proto, out, at);
    at = writePart(block, block.forwardedHost, head, passed.host, out, at);
    at = writePart(block, block.port, head, passed.port, out, at);
    at = copyBytes(block.bytes, block.forwardedFor.from, block.forwardedFor.to, out, at);
    return block.forwardedFor.to === 0 ? at : passed.forwardedFor.write(head, field.xForwardedFor, out, at);
  }

  /** Of a trusted peer: its trace goes on, as it came, or with a span of ours between if this gateway traces. */
  // WHY seven parameters: as above.
  #writeTrace(
    forwarding: Forwarding,
    passed: PassedOn,
    head: Head,
    out: Uint8Array,
    at: number,
    high: number,
    low: number,
  ): number {
    const { traceparent } = forwarding.block as HostBlock;
    const { tracer } = this.#options;
    if (passed.traceparent === -1 || tracer?.on === true) {
      at = copyBytes(forwarding.block!.bytes, traceparent.from, traceparent.to, out, at);
      if (passed.traceparent === -1 || tracer === null) this.#beginTrace(forwarding, out, at, high, low);
      else {
        forwarding.traceIdStart = at - TRACEPARENT_LINE_END;
        const id = head.valueStart[passed.traceparent]! + TRACE_ID_OFFSET;
        tracer.join(forwarding.trace, head.buffer, id, out, forwarding.traceIdStart);
      }
      return at;
    }
    at = writeLine(head, passed.traceparent, out, at);
    const value = at - 2 - (head.valueEnd[passed.traceparent]! - head.valueStart[passed.traceparent]!);
    forwarding.traceIdStart = value + TRACE_ID_OFFSET;
    forwarding.trace.follow(out, forwarding.traceIdStart);
    return at;
  }

  /** A trace that begins here. `end` is the index after the line that holds the zeros to be replaced. */
  #beginTrace(forwarding: Forwarding, out: Uint8Array, end: number, high: number, low: number): void {
    const { random, tracer } = this.#options;
    const start = end - TRACEPARENT_LINE_END;
    writeHexWord(low, out, writeHexWord(high, out, start + 16));
    forwarding.traceIdStart = start;
    forwarding.trace.draw(random, out, start);
    tracer?.begin(forwarding.trace, low, out, start);
  }

  #readTrusted(forwarding: Forwarding, passed: PassedOn, head: Head): void {
    const finder = this.#finder;
    const { xForwarded, forwarded } = this.#options.plan.forwarding;
    finder.start(forwarding.peer);
    passed.read(head, finder, forwarded && !xForwarded);
    forwarding.room += passed.bytes;
    // `tracestate` speaks of the `traceparent` beside it (Trace Context §3.3).
    if (passed.traceparent === -1 && this.#actions[field.tracestate] !== 0) {
      for (let at = head.find(field.tracestate); at !== -1; at = head.find(field.tracestate, at + 1)) head.drop[at] = 1;
    }
    if (finder.client.equals(forwarding.client)) return;
    forwarding.client.copyFrom(finder.client);
    forwarding.clientLength = writeAddress(finder.client, forwarding.clientText, 0);
  }

  /** True if a `Via` names this gateway: a token after a blank, before a blank, a comma or the end. */
  #isLoop(head: Head): boolean {
    const { buffer } = head;
    const length = this.#pseudonym.length;
    for (let index = head.find(field.via); index !== -1; index = head.find(field.via, index + 1)) {
      const to = head.valueEnd[index]!;
      for (let at = head.valueStart[index]! + 1; at + length <= to; at += 1) {
        const before = buffer[at - 1];
        if (before !== SP && before !== TAB) continue;
        const after = at + length === to ? COMMA : buffer[at + length]!;
        const ends = after === COMMA || after === SP || after === TAB || after === LEFT_PARENTHESIS;
        if (ends && equalBytes(buffer, at, at + length, this.#pseudonym)) return true;
      }
    }
    return false;
  }
}

/** Our line, or the peer's if it is passed on. Nothing if the line is switched off. */
function writePart(block: HostBlock, part: Part, head: Head, index: number, out: Uint8Array, at: number): number {
  if (index !== -1 && part.to !== 0) return writeLine(head, index, out, at);
  return copyBytes(block.bytes, part.from, part.to, out, at);
}

/** `end` is the index after the line that holds the zeros to be replaced. */
function markRequestId(forwarding: Forwarding, out: Uint8Array, end: number, high: number, low: number): void {
  writeHexWord(low, out, writeHexWord(high, out, end - 18));
  forwarding.requestIdStart = end - 34;
  forwarding.requestIdEnd = end - 2;
}

/** RFC 7239 §4: our element, after those of the proxies before. */
function writeForwarded(forwarding: Forwarding, head: Head, block: HostBlock, out: Uint8Array, at: number): number {
  at = copyBytes(FORWARDED, 0, FORWARDED.length, out, at);
  if (forwarding.passed !== null) at = forwarding.passed.forwarded.write(head, field.forwarded, out, at);
  const { peerText } = forwarding;
  const quoted = peerText.includes(COLON); // §6: an IPv6 address is bracketed, and so quoted
  const before = quoted ? FOR_IPV6 : FOR;
  at = copyBytes(before, 0, before.length, out, at);
  at = copyBytes(peerText, 0, peerText.length, out, at);
  if (quoted) at = copyBytes(END_IPV6, 0, END_IPV6.length, out, at);
  return copyBytes(block.forwardedTail, 0, block.forwardedTail.length, out, at);
}

/** Any other `X-Forwarded-…` (`-Prefix`, `-Ssl`, `-Server`): somebody behind us may believe it. */
function isForwardedName(head: Head, index: number): boolean {
  const from = head.nameStart[index]!;
  if ((head.buffer[from]! | 32) !== 0x78 || head.nameEnd[index]! - from <= X_FORWARDED.length) return false;
  return equalsFolded(head.buffer, from, from + X_FORWARDED.length, X_FORWARDED);
}
