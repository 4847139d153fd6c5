/**
 * The types that a field of a message may have, but for messages: how a value goes to the wire and to JSON, and how it comes from there.
 *
 * Values are numbers (64-bit ones too), texts and booleans; ids are hexadecimal digits, other bytes base64. What is read from protobuf always
 * has its type; what is none in JSON is undefined.
 * Source: protobuf.dev, “Scalar Value Types” and “ProtoJSON”; OTLP/HTTP for ids, which are not base64 there.
 */
import { type ProtobufReader, type ProtobufWriter, type Wire, wire } from './protobuf.ts';

export interface ScalarType {
  readonly wire: Wire;
  write(to: ProtobufWriter, value: unknown): void;
  read(from: ProtobufReader): unknown;
  toJson(value: unknown): unknown;
  /** Undefined if it is no such value. */
  fromJson(json: unknown): unknown;
}

const asIs = (value: unknown): unknown => value;

function numberOf(json: unknown): number | undefined {
  if (typeof json === 'number') return json;
  if (typeof json !== 'string' || json.trim() === '') return undefined;
  const value = Number(json);
  return Number.isNaN(value) && json !== 'NaN' ? undefined : value;
}

function integerOf(json: unknown): number | undefined {
  const value = numberOf(json);
  return Number.isInteger(value) ? value : undefined;
}

function textOf(json: unknown): string | undefined {
  return typeof json === 'string' ? json : undefined;
}

/** In the year 2554, 64 bits of nanoseconds end. */
const NANOSECONDS_END_MS = 2 ** 64 / 1e6;

/** What 64 bits cannot hold is no time: a reader would refuse all that came with it. */
function nanosecondsText(ms: number): string {
  if (!(ms >= 0 && ms < NANOSECONDS_END_MS)) return '0';
  const whole = Math.floor(ms);
  return String(BigInt(whole) * 1_000_000n + BigInt(Math.round((ms - whole) * 1e6)));
}

function millisecondsOf(text: string): number | undefined {
  if (!/^\d{1,20}$/.test(text)) return undefined;
  const digits = text.padStart(7, '0');
  return Number(digits.slice(0, -6)) + Number(digits.slice(-6)) / 1e6;
}

const varint = {
  wire: wire.varint,
  write: (to: ProtobufWriter, value: unknown) => to.varint(value as number),
  read: (from: ProtobufReader) => from.varint(),
};
const signed = { ...varint, read: (from: ProtobufReader) => from.signedVarint() };
const zigzag = {
  wire: wire.varint,
  write: (to: ProtobufWriter, value: unknown) => to.zigzag(value as number),
  read: (from: ProtobufReader) => from.zigzag(),
};
const fixed64 = {
  wire: wire.fixed64,
  write: (to: ProtobufWriter, value: unknown) => to.fixed64(value as number),
  read: (from: ProtobufReader) => from.fixed64(),
};
const integer = { toJson: asIs, fromJson: integerOf };
/** 64 bits are a text in JSON. */
const long = { toJson: String, fromJson: integerOf };

export const scalarTypes = {
  uint32: { ...varint, ...integer },
  uint64: { ...varint, ...long },
  int32: { ...signed, ...integer },
  int64: { ...signed, ...long },
  sint32: { ...zigzag, ...integer },
  sint64: { ...zigzag, ...long },
  fixed64: { ...fixed64, ...long },
  sfixed64: { ...fixed64, read: (from) => from.signedFixed64(), ...long },
  fixed32: {
    wire: wire.fixed32,
    write: (to, value) => to.fixed32(value as number),
    read: (from) => from.fixed32(),
    ...integer,
  },
  /** Of 64 bits on the wire and in JSON; here milliseconds with a fraction, not below zero. */
  nanoseconds: {
    wire: wire.fixed64,
    write: (to, value) => to.nanoseconds(value as number),
    read: (from) => from.nanoseconds(),
    toJson: (value) => nanosecondsText(value as number),
    fromJson: (json) => {
      if (typeof json !== 'number') return millisecondsOf(textOf(json) ?? '');
      return json >= 0 && json < 2 ** 64 ? json / 1e6 : undefined;
    },
  },
  double: {
    wire: wire.fixed64,
    write: (to, value) => to.double(value as number),
    read: (from) => from.double(),
    toJson: (value) => (Number.isFinite(value) ? value : String(value)),
    fromJson: numberOf,
  },
  bool: {
    wire: wire.varint,
    write: (to, value) => to.varint(value === true ? 1 : 0),
    read: (from) => from.varint() !== 0,
    toJson: asIs,
    fromJson: (json) => (typeof json === 'boolean' ? json : undefined),
  },
  string: {
    wire: wire.bytes,
    write: (to, value) => to.text(value as string),
    read: (from) => from.text(),
    toJson: asIs,
    fromJson: textOf,
  },
  /** Bytes that are an id: hexadecimal digits, in JSON too. */
  id: {
    wire: wire.bytes,
    write: (to, value) => to.hex(value as string),
    read: (from) => from.hex(),
    toJson: asIs,
    fromJson: (json) => textOf(json)?.toLowerCase(),
  },
  /** Other bytes: base64, in the object too. */
  bytes: {
    wire: wire.bytes,
    write: (to, value) => to.hex(Buffer.from(value as string, 'base64').toString('hex')),
    read: (from) => Buffer.from(from.hex(), 'hex').toString('base64'),
    toJson: asIs,
    fromJson: textOf,
  },
} as const satisfies Record<string, ScalarType>;

export type ScalarName = keyof typeof scalarTypes;
