/** The text format of protobuf, as `protoc --decode` writes it: a field a line, and messages in braces. */

type Value = string | ProtoMessage;

export class ProtoMessage {
  readonly fields: readonly (readonly [name: string, value: Value])[];

  constructor(fields: readonly (readonly [name: string, value: Value])[]) {
    this.fields = fields;
  }

  /** The messages in a field, in their order. */
  all(name: string): ProtoMessage[] {
    return this.#values(name).filter((value) => value instanceof ProtoMessage);
  }

  /** A text, or what stands there of anything else; empty if the field is not there, as proto3 has it. */
  text(name: string): string {
    const [value = ''] = this.#values(name);
    return typeof value === 'string' ? unquoted(value) : '';
  }

  /** Zero if the field is not there, as proto3 has it. */
  number(name: string): number {
    return this.numbers(name)[0] ?? 0;
  }

  numbers(name: string): number[] {
    return this.#values(name).map((value) => Number(value === 'inf' ? 'Infinity' : value));
  }

  #values(wanted: string): Value[] {
    return this.fields.flatMap(([name, value]) => (name === wanted ? [value] : []));
  }
}

export function readProtoText(text: string): ProtoMessage {
  const lines = text.split('\n').map((line) => line.trim());
  const read = (): ProtoMessage => {
    const fields: [string, Value][] = [];
    for (let line = lines.shift(); line !== undefined && line !== '}'; line = lines.shift()) {
      const [, name = '', open] = /^(\w+)(?:: .*| (\{))$/.exec(line) ?? [];
      if (name !== '') fields.push([name, open === '{' ? read() : line.slice(name.length + 2)]);
    }
    return new ProtoMessage(fields);
  };
  return read();
}

/** Bytes that are no ASCII are octal escapes. */
function unquoted(value: string): string {
  if (!value.startsWith('"')) return value;
  const bytes: number[] = [];
  for (const [, octal, escaped, plain] of value.slice(1, -1).matchAll(/\\([0-7]{3})|\\(.)|([^\\]+)/g)) {
    if (octal !== undefined) bytes.push(Number.parseInt(octal, 8));
    else bytes.push(...Buffer.from(plain ?? { n: '\n', r: '\r', t: '\t' }[escaped!] ?? escaped!));
  }
  return Buffer.from(bytes).toString();
}
