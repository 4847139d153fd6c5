/**
 * Reads the field lines of most heads in WebAssembly, 16 bytes at a time: of those that lie whole in a worker's read buffer and
 * have nothing about them that anything need be said about. Of any other it says nothing, and `field-lines.ts` decides.
 *
 * Invariants: what it accepts, `field-lines.ts` accepts with the same offsets (field-scan.fuzz.ts); what it knows of bytes and names
 * is copied from the tables in syntax.ts and fields.ts. The memory never grows, so its views hold for good.
 *
 * Cost: 128 KB for each worker, 64 KB of them the read buffer; time: see head.bench.ts.
 * Source: the grammar in field-lines.ts; for the bytes of names, two tables of 16 (W. Muła, D. Lemire, "Faster Base64 Encoding and
 * Decoding using AVX2 Instructions", 2018).
 */
import { Instance, Memory, Module, type WasmMemory } from '../../kernel/webassembly.ts';
import { READ_BYTES } from './buffers.ts';
import { fieldScanCode } from './field-scan-code.ts';
import { DROP_REQUEST, DROP_RESPONSE, LOOK_REQUEST, LOOK_RESPONSE, fieldFlags, nameTables } from './fields.ts';
import { isPlainName } from './syntax.ts';

/** Fields there is room for: the default limits are below. */
export const ROOM_FIELDS = 256;

// Where things are in the memory: field-scan.wat has the same numbers. A load waits for a store whose address has the same lower 12
// bits, so the arrays do not begin where the heads in the read buffer mostly do.
/** For `lines`: what is known of the fields of a request. */
export const REQUEST_FLAGS = 128;
/** The same for a response. */
export const RESPONSE_FLAGS = 192;
const PAGES = 2;
const NEXT = 256;
const FIRST = 1024;
const NAMES = 2048;
const ROOMS = 9216;
const ROOM_BYTES = 6144;
const READ_BUFFER = 32_768;

type Lines = (at: number, stop: number, room: number, fieldsMax: number, flags: number) => number;

/** Where the fields of one head go. */
export interface FieldRoom {
  /**
   * Reads the lines that begin at `at`, up to the empty line: the number of fields, plus 65,536 times that of the fields in `look`;
   * -1 if they are not whole before `stop`, are more than `fieldsMax`, or something about them is unusual. `flags` says on which side.
   */
  readonly lines: Lines;
  /** The buffer that `at` and `stop` are in. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Of this, for `lines`. */
  readonly address: number;
  readonly nameStart: Int32Array;
  readonly nameEnd: Int32Array;
  readonly valueStart: Int32Array;
  readonly valueEnd: Int32Array;
  readonly lineEnd: Int32Array;
  readonly id: Uint8Array;
  readonly drop: Uint8Array;
  /** The indices of the fields that the parser of this side reads, in order. */
  readonly look: Uint8Array;
}

export class FieldScan {
  /** What is to be read must lie in here. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly requestRoom: FieldRoom;
  readonly responseRoom: FieldRoom;

  constructor() {
    const memory = new Memory({ initial: PAGES, maximum: PAGES });
    const { exports } = new Instance(new Module(Buffer.from(fieldScanCode, 'base64')), { scan: { memory } });
    fillTables(new Uint8Array(memory.buffer));
    this.bytes = Buffer.from(memory.buffer, READ_BUFFER, READ_BYTES);
    const { lines } = exports as { readonly lines: Lines };
    const { bytes } = this;
    this.requestRoom = createRoom({ lines, bytes, address: ROOMS }, memory);
    this.responseRoom = createRoom({ lines, bytes, address: ROOMS + ROOM_BYTES }, memory);
  }

  /** Null where there are no vector instructions, or no room for another memory. */
  static create(): FieldScan | null {
    try {
      return new FieldScan();
    } catch {
      return null;
    }
  }
}

type Place = Pick<FieldRoom, 'lines' | 'bytes' | 'address'>;

function createRoom(place: Place, { buffer }: WasmMemory): FieldRoom {
  const { address } = place;
  const words = (array: number) => new Int32Array(buffer, address + array * ROOM_FIELDS * 4, ROOM_FIELDS);
  const small = (array: number) => new Uint8Array(buffer, address + (5 * 4 + array) * ROOM_FIELDS, ROOM_FIELDS);
  return {
    ...place,
    nameStart: words(0),
    nameEnd: words(1),
    valueStart: words(2),
    valueEnd: words(3),
    lineEnd: words(4),
    id: small(0),
    drop: small(1),
    look: small(2),
  };
}

function fillTables(memory: Uint8Array): void {
  for (let upper = 0; upper < 8; upper += 1) {
    memory[16 + upper] = 1 << upper;
    for (let lower = 0; lower < 16; lower += 1) {
      if (isPlainName[upper * 16 + lower] === 1) memory[lower]! |= 1 << upper;
    }
  }
  for (const [id, flags] of fieldFlags.entries()) {
    memory[REQUEST_FLAGS + id] = bit(flags & DROP_REQUEST) + 2 * bit(flags & LOOK_REQUEST);
    memory[RESPONSE_FLAGS + id] = bit(flags & DROP_RESPONSE) + 2 * bit(flags & LOOK_RESPONSE);
  }
  memory.set(nameTables.nextOf, NEXT);
  memory.set(nameTables.firstOf, FIRST);
  memory.set(nameTables.names, NAMES);
}

function bit(flag: number): number {
  return flag === 0 ? 0 : 1;
}
