/**
 * DNS messages: writes a question, reads an answer. Only what discovery asks for: addresses, services, and the aliases on the way.
 *
 * Invariants: reading looks at no byte outside the message, and ends: a compressed name goes on only further to the front
 * (RFC 1035 §4.1.4), so a loop cannot be written. What is malformed throws `DNS_FAILED` and is never half an answer.
 * Cost: O(bytes) and one object a record; a message is at most 64 kB.
 * Sources: RFC 1035 §4, RFC 2181 §8 (TTL), RFC 2782 (SRV), RFC 3596 (AAAA).
 * Not here: EDNS. Answers above 512 bytes come by TCP, which every server speaks (RFC 7766 §5), and nothing has to be negotiated.
 */
import { SpillwayError } from '../../kernel/errors.ts';
import { addressFrom, writeAddress } from '../../kernel/ip-address.ts';

export interface DnsQuestion {
  /** Without the dot at the end. */
  readonly name: string;
  readonly type: 'A' | 'AAAA' | 'SRV';
}

/** Names are in lower case and without the dot at the end; the root is ''. */
export type DnsRecord = { readonly name: string; readonly ttlS: number } & (
  | { readonly type: 'A' | 'AAAA'; readonly address: string }
  | { readonly type: 'CNAME'; readonly target: string }
  | {
      readonly type: 'SRV';
      readonly priority: number;
      readonly weight: number;
      readonly port: number;
      readonly target: string;
    }
);

export interface DnsMessage {
  readonly id: number;
  /** Cut off to fit a datagram; the records are then not read. */
  readonly truncated: boolean;
  /** RFC 1035 §4.1.1: 0 no error, 2 server failure, 3 no such name. */
  readonly rcode: number;
  readonly question: DnsQuestion;
  /** Of the answer section, of the types above; others are left out. */
  readonly answers: readonly DnsRecord[];
}

const types = { A: 1, CNAME: 5, AAAA: 28, SRV: 33 } as const;
const typeNames = new Map<number, keyof typeof types>(
  Object.entries(types).map(([name, number]) => [number, name as keyof typeof types]),
);
const CLASS_IN = 1;
const HEADER_BYTES = 12;
const LABEL_BYTES_MAX = 63;
const NAME_BYTES_MAX = 255;
/** Aliases on the way to an answer; resolvers give up at about as many. */
const ALIASES_MAX = 16;

/** Throws `DNS_FAILED` if the name cannot be asked for. */
export function writeQuestion(id: number, { name, type }: DnsQuestion): Uint8Array {
  const labels = name.split('.').map((label) => Buffer.from(label, 'latin1'));
  const nameBytes = labels.reduce((sum, label) => sum + label.length + 1, 1);
  if (nameBytes > NAME_BYTES_MAX || labels.some(({ length }) => length === 0 || length > LABEL_BYTES_MAX)) {
    throw malformed(`${JSON.stringify(name)} cannot be asked for`);
  }
  const message = Buffer.alloc(HEADER_BYTES + nameBytes + 4);
  message.writeUInt16BE(id, 0);
  message.writeUInt16BE(0x0100, 2); // recursion desired
  message.writeUInt16BE(1, 4);
  let at = HEADER_BYTES;
  for (const label of labels) {
    message[at] = label.length;
    at += 1 + label.copy(message, at + 1);
  }
  message.writeUInt16BE(types[type], at + 1);
  message.writeUInt16BE(CLASS_IN, at + 3);
  return message;
}

/** Throws `DNS_FAILED` if it is not an answer to one question of a type above. */
export function readAnswer(bytes: Uint8Array): DnsMessage {
  const reader = new Reader(bytes);
  const id = reader.uint16();
  const flags = reader.uint16();
  const [questions, answerCount] = [reader.uint16(), reader.uint16()];
  reader.skip(4);
  if ((flags & 0xf800) !== 0x8000) throw malformed('it is not an answer to a question');
  if (questions !== 1) throw malformed(`it repeats ${questions} questions`);
  const question = readQuestion(reader);
  const truncated = (flags & 0x0200) !== 0;
  const answers: DnsRecord[] = [];
  for (let count = truncated ? 0 : answerCount; count > 0; count--) {
    const record = readRecord(reader);
    if (record !== null) answers.push(record);
  }
  return { id, truncated, rcode: flags & 15, question, answers };
}

export function isSameQuestion(one: DnsQuestion, other: DnsQuestion): boolean {
  return one.type === other.type && one.name.toLowerCase() === other.name.toLowerCase();
}

/** The records that answer the question, behind aliases too, and how long all of them hold. */
export function recordsFor(
  { name, type }: DnsQuestion,
  answers: readonly DnsRecord[],
): { readonly records: readonly DnsRecord[]; readonly ttlS: number } {
  let wanted = name.toLowerCase();
  let ttlS = Number.MAX_SAFE_INTEGER;
  for (let aliases = 0; aliases <= ALIASES_MAX; aliases++) {
    const own = answers.filter((record) => record.name === wanted);
    const records = own.filter((record) => record.type === type);
    if (records.length > 0) return { records, ttlS: Math.min(ttlS, ...new Set(records.map((record) => record.ttlS))) };
    const alias = own.find((record) => record.type === 'CNAME');
    if (alias?.type !== 'CNAME') break;
    wanted = alias.target;
    ttlS = Math.min(ttlS, alias.ttlS);
  }
  return { records: [], ttlS: 0 };
}

function readQuestion(reader: Reader): DnsQuestion {
  const name = reader.name();
  const type = typeNames.get(reader.uint16());
  if (reader.uint16() !== CLASS_IN || type === undefined || type === 'CNAME') {
    throw malformed('it repeats another question');
  }
  return { name, type };
}

/** Null for one of another type or class. */
function readRecord(reader: Reader): DnsRecord | null {
  const name = reader.name();
  const type = typeNames.get(reader.uint16());
  const isInternet = reader.uint16() === CLASS_IN;
  const ttl = reader.uint32();
  // RFC 2181 §8: with the highest bit set it is 0.
  const base = { name, ttlS: ttl > 0x7fff_ffff ? 0 : ttl };
  const length = reader.uint16();
  const end = reader.at + length;
  const record = isInternet && type !== undefined ? readData(reader, type, length, base) : null;
  if (record === null) reader.skip(end - reader.at);
  if (reader.at !== end) throw malformed('a record is longer or shorter than it says');
  return record;
}

function readData(
  reader: Reader,
  type: keyof typeof types,
  length: number,
  base: Pick<DnsRecord, 'name' | 'ttlS'>,
): DnsRecord {
  switch (type) {
    case 'A':
    case 'AAAA': {
      if (length !== (type === 'A' ? 4 : 16)) throw malformed(`an address of ${length} bytes`);
      return { ...base, type, address: addressText(reader.bytes(length)) };
    }
    case 'CNAME':
      return { ...base, type, target: reader.name() };
    case 'SRV': {
      const [priority, weight, port] = [reader.uint16(), reader.uint16(), reader.uint16()];
      return { ...base, type, priority, weight, port, target: reader.name() };
    }
    default:
      return type satisfies never;
  }
}

/** RFC 5952; a v4-mapped address is the IPv4 address it stands for. */
function addressText(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join('.');
  const groups = Array.from({ length: 8 }, (_, at) => ((bytes[2 * at]! << 8) | bytes[2 * at + 1]!).toString(16));
  const text = Buffer.alloc(39);
  return text.toString('latin1', 0, writeAddress(addressFrom(groups.join(':'))!, text, 0));
}

class Reader {
  at = 0;
  readonly #bytes: Buffer;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  uint16(): number {
    this.skip(2);
    return this.#bytes.readUInt16BE(this.at - 2);
  }

  uint32(): number {
    this.skip(4);
    return this.#bytes.readUInt32BE(this.at - 4);
  }

  bytes(length: number): Uint8Array {
    this.skip(length);
    return this.#bytes.subarray(this.at - length, this.at);
  }

  skip(length: number): void {
    if (length < 0 || this.at + length > this.#bytes.length) throw malformed('it ends too early');
    this.at += length;
  }

  name(): string {
    const labels: string[] = [];
    let [at, before] = [this.at, this.at];
    let length = 1;
    let jumped = false;
    for (;;) {
      const size = this.#byte(at);
      if (size >= 0xc0) {
        const target = ((size & 0x3f) << 8) | this.#byte(at + 1);
        if (target >= before) throw malformed('a name points to itself or behind');
        if (!jumped) this.at = at + 2;
        [jumped, at, before] = [true, target, target];
        continue;
      }
      if (size > LABEL_BYTES_MAX) throw malformed('a label of a kind that there is not');
      at += 1;
      if (size === 0) break;
      length += size + 1;
      if (length > NAME_BYTES_MAX || at + size > this.#bytes.length) throw malformed('a name is too long');
      labels.push(labelText(this.#bytes.subarray(at, at + size)));
      at += size;
    }
    if (!jumped) this.at = at;
    return labels.join('.');
  }

  #byte(at: number): number {
    const byte = this.#bytes[at];
    if (byte === undefined) throw malformed('it ends too early');
    return byte;
  }
}

/** What is not of a host name is written as RFC 1035 §5.1 does, so that no label has a dot and nothing is mistaken for another. */
function labelText(label: Buffer): string {
  const text = label.toString('latin1').toLowerCase();
  return text.replace(/[^a-z0-9_-]/g, (sign) => `\\${String(sign.charCodeAt(0)).padStart(3, '0')}`);
}

function malformed(what: string): SpillwayError {
  return new SpillwayError('DNS_FAILED', `not a DNS message: ${what}`, { retryable: true });
}
