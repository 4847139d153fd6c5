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
import { atOnce, STEP, type Steps } from '../../kernel/steps.ts';
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

  /** Of protobuf, or of JSON, which is a text. */
  decode(encoded: Uint8Array | string): Message {
    return atOnce(this.decoding(encoded));
  }

  /** The same in steps. One list, and the text of JSON, are read in one: 4 MB in some 50 ms, a tenth of a second at the worst. */
  *decoding(encoded: Uint8Array | string): Steps<Message> {
    const backlog = new Backlog();
    const from = typeof encoded === 'string' ? parsed(encoded) : new ProtobufReader(encoded);
    const message = backlog.read(this, from, 1);
    while (!backlog.isEmpty) {
      yield;
      backlog.step();
    }
    return message as Message;
  }

  // WHY four parameters: an object for each message would cost as much as the message.
  read(from: unknown, into: Fields, depth: number, backlog: Backlog): void {
    if (!(from instanceof ProtobufReader)) {
      this.#readJson(from, into, depth, backlog);
      return;
    }
    while (from.next()) {
      const field = this.#byNumber.get(from.field);
      if (field === undefined) from.skip();
      else if (!field.repeated) into[field.name] = readValue(from, field, backlog);
      else readInto((into[field.name] ??= []) as unknown[], from, field, backlog);
    }
  }

  // WHY four parameters: as above.
  #readJson(from: unknown, into: Fields, depth: number, backlog: Backlog): void {
    if (typeof from !== 'object' || from === null || Array.isArray(from)) throw invalidOtlp('a message is no object');
    for (const [name, field] of this.#byName) {
      const value = Object.hasOwn(from, name) ? (from as Fields)[name] : null;
      if (value === null) continue;
      const convert = (one: unknown): unknown => {
        if (field.message !== null) return backlog.read(field.message(), one, depth + 1);
        const read = field.scalar!.fromJson(one);
        if (read === undefined) throw invalidOtlp(`${name} has a value of another type`);
        return read;
      };
      if (!field.repeated) into[name] = convert(value);
      else if (Array.isArray(value)) into[name] = value.map(convert);
      else throw invalidOtlp(`${name} is no list`);
    }
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
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw invalidOtlp(`no JSON: ${(error as Error).message}`);
  }
}

/** A message that lies in another, and what it is read into. */
interface Waiting {
  readonly type: MessageType;
  /** What JSON was, or where it is in protobuf. */
  readonly from: unknown;
  readonly into: Fields;
  readonly depth: number;
}

/** A step reads so many messages with all that lies in them; what is more waits for the next. */
class Backlog {
  readonly #waiting: Waiting[] = [];
  #left = MESSAGES_MAX;
  #leftOfStep = STEP;

  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  /** Returns the message, in which something may be missing as long as anything waits. */
  read(type: MessageType, from: unknown, depth: number): Fields {
    if (this.#left === 0) throw invalidOtlp(`it has more than ${MESSAGES_MAX} messages`);
    if (depth > DEPTH_MAX) throw invalidOtlp(`a message lies ${DEPTH_MAX} deep in others`);
    this.#left -= 1;
    this.#leftOfStep -= 1;
    const into: Fields = {};
    if (this.#leftOfStep >= 0) type.read(from, into, depth, this);
    else this.#waiting.push({ type, from, into, depth });
    return into;
  }

  step(): void {
    this.#leftOfStep = STEP;
    while (this.#leftOfStep > 0) {
      const next = this.#waiting.pop();
      if (next === undefined) return;
      this.#leftOfStep -= 1;
      next.type.read(next.from, next.into, next.depth, this);
    }
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

function readValue(reader: ProtobufReader, field: Field, backlog: Backlog): unknown {
  if (reader.wire !== field.wire) throw invalidOtlp(`${field.name} has wire type ${reader.wire}`);
  // How deep it lies is known to the reader.
  return field.scalar === null ? backlog.read(field.message!(), reader.message(), 1) : field.scalar.read(reader);
}

/** One value more, or as many as were packed. */
function readInto(list: unknown[], reader: ProtobufReader, field: Field, backlog: Backlog): void {
  if (reader.wire === field.wire) list.push(readValue(reader, field, backlog));
  else if (reader.wire !== wire.bytes) throw invalidOtlp(`${field.name} has wire type ${reader.wire}`);
  else for (const packed = reader.message(); !packed.ended;) list.push(field.scalar!.read(packed));
}
