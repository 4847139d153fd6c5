/**
 * A DNS server for tests, on UDP and TCP of one port of 127.0.0.1, that says what it is told to, and misbehaves when asked to. It
 * writes messages by itself, names compressed, so that what reads them is not tested against its own mistakes.
 */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { freePort } from './ports.ts';

export type Rdata =
  | { readonly type: 'A' | 'AAAA'; readonly address: readonly number[] }
  | { readonly type: 'CNAME'; readonly target: string }
  | {
      readonly type: 'SRV';
      readonly priority: number;
      readonly weight: number;
      readonly port: number;
      readonly target: string;
    }
  | { readonly type: 'TXT'; readonly text: string };

export type TestRecord = Rdata & { readonly name: string; readonly ttlS?: number };

export interface TestAnswer {
  readonly records?: readonly TestRecord[];
  readonly rcode?: number;
  readonly truncated?: boolean;
  /** Added to the id: a wrong one. */
  readonly idShift?: number;
  /** Another question comes back. */
  readonly question?: { readonly name: string; readonly type: string };
  /** Bytes in place of a message. */
  readonly raw?: Uint8Array;
}

export interface TestQuestion {
  readonly name: string;
  readonly type: string;
  readonly overTcp: boolean;
}

/** Several answers are sent one after the other; none is silence. */
export type Answering = (question: TestQuestion) => readonly TestAnswer[];

const types: Readonly<Record<string, number>> = { A: 1, CNAME: 5, TXT: 16, AAAA: 28, SRV: 33 };

export const a = (name: string, address: string, ttlS = 60): TestRecord => ({
  name,
  type: 'A',
  address: address.split('.').map(Number),
  ttlS,
});
export const srv = (
  name: string,
  target: string,
  port: number,
  given: Partial<{ priority: number; weight: number; ttlS: number }> = {},
): TestRecord => ({
  name,
  type: 'SRV',
  target,
  port,
  priority: 0,
  weight: 0,
  ...given,
});

/** Answers with what `records` says, as a server with this zone does. */
export function zone(records: () => readonly TestRecord[]): Answering {
  return ({ name, type }) => {
    const named = records().filter((record) => record.name === name);
    const fitting = named.filter((record) => record.type === type || record.type === 'CNAME');
    const aliased = fitting.flatMap((record) =>
      record.type === 'CNAME' ? records().filter((each) => each.name === record.target && each.type === type) : [],
    );
    return [{ records: [...fitting, ...aliased], rcode: named.length === 0 ? 3 : 0 }];
  };
}

/** `rdlength` and names as RFC 1035 §4.1.4 lets them be compressed. */
export function writeMessage(
  id: number,
  question: { readonly name: string; readonly type: string },
  answer: TestAnswer,
): Buffer {
  const { records = [], rcode = 0, truncated = false } = answer;
  const parts: Buffer[] = [];
  const places = new Map<string, number>();
  let length = 0;
  const push = (part: Buffer): void => {
    parts.push(part);
    length += part.length;
  };
  const uint16 = (value: number): Buffer => Buffer.from([(value >> 8) & 255, value & 255]);
  const name = (text: string): void => {
    const labels = text === '' ? [] : text.split('.');
    for (const [index, label] of labels.entries()) {
      const rest = labels.slice(index).join('.');
      const place = places.get(rest);
      if (place !== undefined) {
        push(uint16(0xc000 | place));
        return;
      }
      if (length < 0x3fff) places.set(rest, length);
      push(Buffer.from([label.length, ...Buffer.from(label, 'latin1')]));
    }
    push(Buffer.from([0]));
  };
  const flags = 0x8180 | (truncated ? 0x0200 : 0) | rcode;
  for (const value of [id, flags, 1, records.length, 0, 0]) push(uint16(value));
  const asked = answer.question ?? question;
  name(asked.name);
  push(uint16(types[asked.type] ?? 255));
  push(uint16(1));
  for (const record of records) {
    name(record.name);
    const ttl = Buffer.alloc(4);
    ttl.writeUInt32BE(record.ttlS ?? 60);
    push(Buffer.concat([uint16(types[record.type]!), uint16(1), ttl]));
    const lengthAt = parts.length;
    push(uint16(0));
    const before = length;
    if (record.type === 'A' || record.type === 'AAAA') push(Buffer.from(record.address));
    else if (record.type === 'TXT') push(Buffer.from([record.text.length, ...Buffer.from(record.text)]));
    else if ('target' in record) {
      if (record.type === 'SRV') for (const value of [record.priority, record.weight, record.port]) push(uint16(value));
      name(record.target);
    }
    parts[lengthAt] = uint16(length - before);
  }
  return Buffer.concat(parts);
}

function questionIn(bytes: Buffer): { readonly id: number; readonly name: string; readonly type: string } {
  const labels: string[] = [];
  let at = 12;
  for (let size = bytes[at]!; size > 0; size = bytes[at]!) {
    labels.push(bytes.toString('latin1', at + 1, at + 1 + size));
    at += size + 1;
  }
  const number = bytes.readUInt16BE(at + 1);
  const type = Object.keys(types).find((each) => types[each] === number) ?? String(number);
  return { id: bytes.readUInt16BE(0), name: labels.join('.'), type };
}

/** As a server would send it: by UDP no more than 512 bytes. */
function replies(bytes: Buffer, answering: Answering, overTcp: boolean): Buffer[] {
  const { id, ...question } = questionIn(bytes);
  return answering({ ...question, overTcp }).map((answer) => {
    if (answer.raw !== undefined) return Buffer.from(answer.raw);
    const message = writeMessage((id + (answer.idShift ?? 0)) & 0xffff, question, answer);
    if (overTcp || message.length <= 512) return message;
    return writeMessage(id, question, { ...answer, records: [], truncated: true });
  });
}

export interface DnsTestServer extends AsyncDisposable {
  readonly port: number;
  /** What was asked, in order: `A shop.test`, with `tcp` behind it if it came so. */
  readonly asked: string[];
  answering: Answering;
}

export async function dnsServer(answering: Answering): Promise<DnsTestServer> {
  const udp = createSocket('udp4');
  const sockets = new Set<Socket>();
  const asked: string[] = [];
  const state = { answering };
  const answer: Answering = (question) => {
    asked.push(`${question.type} ${question.name}${question.overTcp ? ' tcp' : ''}`);
    return state.answering(question);
  };
  const tcp = createServer((socket) => {
    sockets.add(socket);
    let received = Buffer.alloc(0);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    socket.on('data', (bytes) => {
      received = Buffer.concat([received, bytes]);
      if (received.length < 2 || received.length < 2 + received.readUInt16BE(0)) return;
      for (const reply of replies(received.subarray(2), answer, true)) {
        socket.write(Buffer.concat([Buffer.from([reply.length >> 8, reply.length & 255]), reply]));
      }
    });
  });
  udp.on('error', () => {});
  udp.on('message', (bytes, { port, address }) => {
    for (const reply of replies(bytes, answer, false)) udp.send(reply, port, address, () => {});
  });
  const port = await freePort();
  await once(tcp.listen(port, '127.0.0.1'), 'listening');
  udp.bind(port, '127.0.0.1');
  await once(udp, 'listening');
  let closed = false;
  return {
    port,
    asked,
    get answering() {
      return state.answering;
    },
    set answering(next) {
      state.answering = next;
    },
    async [Symbol.asyncDispose]() {
      if (closed) return;
      closed = true;
      udp.close();
      tcp.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
