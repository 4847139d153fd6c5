/**
 * Messages by name: a table of fields says how an object becomes protobuf or JSON and comes back, so that the two cannot differ.
 *
 * An object has its fields by their JSON names, and only those that are there; `undefined` is not written. Whoever wants the defaults of proto3
 * left out leaves them out. What the values are: scalar-types.ts.
 *
 * Invariants: what is read has the types that the table says, whatever was sent, or `OTLP_INVALID` is thrown; unknown fields are left out. Of a
 * field that is there twice the last counts. At most 200,000 messages are read: the shortest has two bytes, and becomes an object.
 * Cost: O(fields that are there).
 */
import { invalidOtlp, ProtobufReader, ProtobufWriter, wire } from './protobuf.ts';
import { type ScalarName, type ScalarType, scalarTypes } from './scalar-types.ts';

/** Number, type and, of a list, `'repeated'`. A message is named by a function, as messages lie within themselves. */
type FieldSpec = readonly [number: number, type: ScalarName | (() => MessageType), repeated?: 'repeated'];

interface Field {
  readonly name: string;
  readonly number: number;
  /** One of the two is null. */
  readonly scalar: ScalarType | null;
  readonly message: (() => MessageType) | null;
  readonly wire: number;
  readonly repeated: boolean;
}

type Fields = Record<string, unknown>;

const MESSAGES_MAX = 200_000;
const DEPTH_MAX = 32;

export class MessageType<Message extends object = object> {
  readonly #byName = new Map<string, Field>();
  readonly #byNumber = new Map<number, Field>();

  constructor(specs: Readonly<Record<string, FieldSpec>>) {
    for (const [name, [number, type, repeated]] of Object.entries(specs)) {
      const scalar = typeof type === 'string' ? scalarTypes[type] : null;
      const message = typeof type === 'string' ? null : type;
      const field = {
        name,
        number,
        scalar,
        message,
        wire: scalar?.wire ?? wire.bytes,
        repeated: repeated !== undefined,
      };
      this.#byName.set(name, field);
      this.#byNumber.set(number, field);
    }
  }

  encode(message: Message): Uint8Array<ArrayBuffer> {
    const writer = new ProtobufWriter();
    this.write(writer, message);
    return writer.written;
  }

  write(writer: ProtobufWriter, message: object): void {
    for (const name in message) {
      const field = this.#byName.get(name);
      const value = (message as Fields)[name];
      if (field === undefined || value === undefined) continue;
      if (!field.repeated) writeValue(writer, field, value);
      else if (field.wire !== wire.bytes) writePacked(writer, field, value as unknown[]);
      else for (const one of value as unknown[]) writeValue(writer, field, one);
    }
  }

  decode(bytes: Uint8Array): Message {
    return this.read(new ProtobufReader(bytes), new Allowance());
  }

  read(reader: ProtobufReader, allowance: Allowance): Message {
    allowance.take();
    const message: Fields = {};
    while (reader.next()) {
      const field = this.#byNumber.get(reader.field);
      if (field === undefined) reader.skip();
      else if (!field.repeated) message[field.name] = readValue(reader, field, allowance);
      else readInto((message[field.name] ??= []) as unknown[], reader, field, allowance);
    }
    return message as Message;
  }

  /** What JSON is made of. */
  toJson(message: object): object {
    const json: Fields = {};
    for (const name in message) {
      const field = this.#byName.get(name);
      const value = (message as Fields)[name];
      if (field === undefined || value === undefined) continue;
      const convert = (one: unknown): unknown =>
        field.message === null ? field.scalar!.toJson(one) : field.message().toJson(one as object);
      json[name] = field.repeated ? (value as unknown[]).map(convert) : convert(value);
    }
    return json;
  }

  /** Of what JSON was. */
  fromJson(json: unknown, allowance = new Allowance(), depth = 1): Message {
    allowance.take();
    if (typeof json !== 'object' || json === null || Array.isArray(json)) throw invalidOtlp('a message is no object');
    if (depth > DEPTH_MAX) throw invalidOtlp(`a message lies ${DEPTH_MAX} deep in others`);
    const message: Fields = {};
    for (const [name, field] of this.#byName) {
      const value = Object.hasOwn(json, name) ? (json as Fields)[name] : null;
      if (value === null) continue;
      const convert = (one: unknown): unknown => {
        if (field.message !== null) return field.message().fromJson(one, allowance, depth + 1);
        const read = field.scalar!.fromJson(one);
        if (read === undefined) throw invalidOtlp(`${name} has a value of another type`);
        return read;
      };
      if (!field.repeated) message[name] = convert(value);
      else if (Array.isArray(value)) message[name] = value.map(convert);
      else throw invalidOtlp(`${name} is no list`);
    }
    return message as Message;
  }
}

/** How many messages may still be read. */
class Allowance {
  #left = MESSAGES_MAX;

  take(): void {
    if (this.#left === 0) throw invalidOtlp(`it has more than ${MESSAGES_MAX} messages`);
    this.#left -= 1;
  }
}

function writeValue(writer: ProtobufWriter, field: Field, value: unknown): void {
  writer.tag(field.number, field.wire);
  if (field.scalar !== null) field.scalar.write(writer, value);
  else {
    const start = writer.open();
    field.message!().write(writer, value as object);
    writer.close(start);
  }
}

/** Numbers of a list go together, as proto3 does it. */
function writePacked(writer: ProtobufWriter, { number, scalar }: Field, values: readonly unknown[]): void {
  if (values.length === 0) return;
  writer.tag(number, wire.bytes);
  const start = writer.open();
  for (const value of values) scalar!.write(writer, value);
  writer.close(start);
}

function readValue(reader: ProtobufReader, field: Field, allowance: Allowance): unknown {
  if (reader.wire !== field.wire) throw invalidOtlp(`${field.name} has wire type ${reader.wire}`);
  return field.scalar === null ? field.message!().read(reader.message(), allowance) : field.scalar.read(reader);
}

/** One value more, or as many as were packed. */
function readInto(list: unknown[], reader: ProtobufReader, field: Field, allowance: Allowance): void {
  if (reader.wire === field.wire) list.push(readValue(reader, field, allowance));
  else if (reader.wire !== wire.bytes) throw invalidOtlp(`${field.name} has wire type ${reader.wire}`);
  else for (const packed = reader.message(); !packed.ended;) list.push(field.scalar!.read(packed));
}
