/**
 * The health protocol of gRPC: the bytes of the question, and what the answer means.
 *
 * One unary call, `/grpc.health.v1.Health/Check`, over HTTP/2. Both messages have one field: the name of a service, and a
 * status. They are written and read here by hand (protobuf encoding: a varint of `field << 3 | wire type`, then the value;
 * gRPC puts a flag byte and the length in four bytes before it).
 *
 * Source: the protocol's health-checking document and health.proto; gRPC over HTTP/2 for the framing and `grpc-status`.
 * Pure; what is not a message is a value, never an exception, and nothing is read beyond `GRPC_ANSWER_BYTES_MAX`. What it is not: an
 * HTTP/2 client, which is the shell's.
 */
import type { CheckResult } from './active.ts';

export const GRPC_HEALTH_PATH = '/grpc.health.v1.Health/Check';

/** The answer has 2 bytes and a prefix of 5. Room for fields that a later version adds, none for an endless one. */
export const GRPC_ANSWER_BYTES_MAX = 4_096;

const PREFIX_BYTES = 5;
const VARINT_BYTES_MAX = 10;

/** The request for the health of `service`; the empty name asks for the server as a whole. */
export function grpcHealthRequest(service: string): Uint8Array {
  const name = new TextEncoder().encode(service);
  // proto3: a field that has its default value is not written.
  const message = name.length === 0 ? [] : [0x0a, ...varint(name.length), ...name];
  return Uint8Array.of(0, ...bigEndian(message.length), ...message);
}

/** What came back; each is null if it was not there. */
export interface GrpcAnswer {
  readonly httpStatus: number;
  readonly contentType: string | null;
  /** Of the trailers, or of the head if there was no body. */
  readonly grpcStatus: string | null;
  readonly grpcMessage: string | null;
  /** The whole body. */
  readonly body: Uint8Array;
}

const OK = 0;
const NOT_FOUND = 5;
const UNIMPLEMENTED = 12;
const statusNames = [
  ...['OK', 'CANCELLED', 'UNKNOWN', 'INVALID_ARGUMENT', 'DEADLINE_EXCEEDED', 'NOT_FOUND', 'ALREADY_EXISTS'],
  ...['PERMISSION_DENIED', 'RESOURCE_EXHAUSTED', 'FAILED_PRECONDITION', 'ABORTED', 'OUT_OF_RANGE', 'UNIMPLEMENTED'],
  ...['INTERNAL', 'UNAVAILABLE', 'DATA_LOSS', 'UNAUTHENTICATED'],
];
const servingNames = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'];
const SERVING = 1;

export function judgeGrpcHealth(answer: GrpcAnswer, service: string): CheckResult {
  const { httpStatus, contentType, grpcStatus } = answer;
  const subject = service === '' ? 'the server' : `service "${service}"`;
  if (httpStatus !== 200) return failed(`status ${httpStatus}, expected 200 of gRPC`);
  if (contentType === null || !/^application\/grpc(?:$|[+;])/i.test(contentType)) {
    return failed('the answer is not gRPC');
  }
  if (grpcStatus === null) return failed('the answer ended without a grpc-status');
  if (!/^\d{1,3}$/.test(grpcStatus)) return failed('the grpc-status is not a number');
  const code = Number(grpcStatus);
  if (code === UNIMPLEMENTED) return failed('it does not implement grpc.health.v1.Health');
  if (code === NOT_FOUND) return failed(`${subject} is not known there`);
  if (code !== OK) return failed(`grpc-status ${code}${named(statusNames[code])}${said(answer.grpcMessage)}`);
  const serving = readServing(answer.body);
  if (serving === null) return failed('the answer is not a HealthCheckResponse');
  if (serving === SERVING) return { kind: 'success', reason: `${subject} is SERVING` };
  return failed(`${subject} is ${servingNames[serving] ?? `in state ${serving}`}, expected SERVING`);
}

/** The status of a HealthCheckResponse with its gRPC prefix; null for anything else, more or less than one message too. */
export function readServing(body: Uint8Array): number | null {
  // A flag of 1 is compression, which was not offered.
  if (body.length < PREFIX_BYTES || body.length > GRPC_ANSWER_BYTES_MAX || body[0] !== 0) return null;
  const message = body.subarray(PREFIX_BYTES);
  const declared = new DataView(body.buffer, body.byteOffset).getUint32(1);
  return declared === message.length ? readStatusField(message) : null;
}

/** Field 1 as a varint, the last if it comes twice, 0 if it does not come; fields of later versions are passed over. */
function readStatusField(message: Uint8Array): number | null {
  let status = 0;
  let at = 0;
  while (at < message.length) {
    const key = readVarint(message, at);
    if (key === null) return null;
    const [field, wire] = [Math.floor(key.value / 8), key.value % 8];
    const value = readVarint(message, key.next);
    if (field === 0) return null;
    if (wire === 0) {
      if (value === null) return null;
      if (field === 1) status = value.value;
      at = value.next;
    } else if (wire === 1) at = key.next + 8;
    else if (wire === 5) at = key.next + 4;
    else if (wire === 2 && value !== null) at = value.next + value.value;
    else return null;
  }
  return at === message.length ? status : null;
}

function readVarint(bytes: Uint8Array, from: number): { readonly value: number; readonly next: number } | null {
  let value = 0;
  for (let index = 0; index < VARINT_BYTES_MAX; index++) {
    const byte = bytes[from + index];
    if (byte === undefined) return null;
    // Exact up to 2^53; what is larger is no status, no key and no length that could be right.
    value += (byte & 0x7f) * 2 ** (7 * index);
    if (byte < 0x80) return { value, next: from + index + 1 };
  }
  return null;
}

function varint(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...varint(value >>> 7)];
}

function bigEndian(value: number): number[] {
  return [value >>> 24, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff];
}

function failed(reason: string): CheckResult {
  return { kind: 'failure', code: 'grpc', reason };
}

function named(name: string | undefined): string {
  return name === undefined ? '' : ` (${name})`;
}

/** What a server says goes to terminals and logs. */
function said(message: string | null): string {
  const text = (message ?? '').replaceAll(/[^\x20-\x7e]+/g, ' ').slice(0, 120);
  return text === '' ? '' : `: ${text}`;
}
