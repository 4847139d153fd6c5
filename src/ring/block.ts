/**
 * A placement in one block of memory: shared by threads, handed to another process, or a file.
 *
 *     [ checksum: 2 words ][ magic ][ version ][ bytes of the description ][ 0 ]
 *     [ description: JSON ][ arrays, each padded, as the description, to 8 bytes ]
 *
 * Invariant: the checksum (XXH64) covers all that follows it, so a block is opened as it was made or refused, never half read. It is no
 * signature: what is inside is checked again by whoever opens it, so that no block can end a process.
 * Words are in the byte order of the machine; a block of the other order is refused by its magic number.
 *
 * A block of this version is opened by every later one, or refused by its number; a test keeps one of each.
 */
import { invalid } from '../kernel/options.ts';
import { xxh64 } from '../kernel/xxh64.ts';

const MAGIC = 0x676e6952; // "Ring"
const VERSION = 1;
const HEADER_WORDS = 6;
const CHECKSUM_BYTES = 8;

/** What an array of a block may be; more kinds when something needs them. */
const kinds = { u16: Uint16Array, u32: Uint32Array } as const;
type BlockArray = Uint16Array | Uint32Array;

/** What a placement is made of, beside its arrays. */
export interface Description {
  readonly algorithm: string;
  readonly nodes: unknown;
  readonly options?: unknown;
  /** What follows from neither. */
  readonly state?: unknown;
}

export interface Block {
  readonly memory: ArrayBufferLike;
  readonly description: Description;
  /** Views of the memory. */
  readonly arrays: readonly BlockArray[];
}

type Layout = readonly (readonly [kind: keyof typeof kinds, length: number])[];

const padded = (bytes: number): number => Math.ceil(bytes / 8) * 8;
const refused = (what: string): Error => invalid(`This is not the memory of a placement: ${what}.`);

function byteLength(textBytes: number, layout: Layout): number {
  const bytes = layout.map(([kind, length]) => padded(length * kinds[kind].BYTES_PER_ELEMENT));
  return bytes.reduce((sum, each) => sum + each, HEADER_WORDS * 4 + padded(textBytes));
}

function views(memory: ArrayBufferLike, textBytes: number, layout: Layout): BlockArray[] {
  let at = HEADER_WORDS * 4 + padded(textBytes);
  return layout.map(([kind, length]) => {
    const view = kind === 'u16' ? new Uint16Array(memory, at, length) : new Uint32Array(memory, at, length);
    at += padded(view.byteLength);
    return view;
  });
}

function checksum(memory: ArrayBufferLike): Uint32Array {
  const words = new Uint32Array(2);
  xxh64(new Uint8Array(memory, CHECKSUM_BYTES), 0, words);
  return words;
}

/** A block with copies of the arrays. */
export function sealBlock(description: Description, arrays: readonly BlockArray[] = [], shared = false): Block {
  const layout = arrays.map((array) => [array instanceof Uint16Array ? 'u16' : 'u32', array.length] as const);
  const text = new TextEncoder().encode(JSON.stringify({ ...description, layout }));
  const bytes = byteLength(text.length, layout);
  const memory = shared ? new SharedArrayBuffer(bytes) : new ArrayBuffer(bytes);
  const header = new Uint32Array(memory, 0, HEADER_WORDS);
  header.set([MAGIC, VERSION, text.length], 2);
  new Uint8Array(memory).set(text, HEADER_WORDS * 4);
  const own = views(memory, text.length, layout);
  for (const [index, array] of arrays.entries()) own[index]!.set(array);
  header.set(checksum(memory));
  return { memory, description, arrays: own };
}

/** The block that somebody made, in this or another process. */
export function openBlock(memory: ArrayBufferLike): Block {
  const { byteLength: bytes } = memory;
  if (bytes < HEADER_WORDS * 4) throw refused(`${bytes} bytes are less than a header`);
  const header = new Uint32Array(memory, 0, HEADER_WORDS);
  const [high, low, magic, version, textBytes = 0] = header;
  if (magic !== MAGIC) throw refused('it does not begin as one');
  if (version !== VERSION) throw refused(`its version is ${version}, expected ${VERSION}`);
  const [expectedHigh, expectedLow] = checksum(memory);
  if (high !== expectedHigh || low !== expectedLow) throw refused('its checksum is wrong, it is damaged or cut');
  if (HEADER_WORDS * 4 + padded(textBytes) > bytes) throw refused('its description is longer than it');
  const { layout, ...description } = parsed(memory, textBytes);
  if (byteLength(textBytes, layout) !== bytes) throw refused(`${bytes} bytes are not its size`);
  return { memory, description, arrays: views(memory, textBytes, layout) };
}

function parsed(memory: ArrayBufferLike, textBytes: number): Description & { readonly layout: Layout } {
  let value: unknown;
  try {
    // A decoder takes no shared memory: a copy.
    const text = new Uint8Array(memory, HEADER_WORDS * 4, textBytes).slice();
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(text));
  } catch (error) {
    throw refused(`its description cannot be read (${String(error)})`);
  }
  if (value === null || typeof value !== 'object') throw refused('its description is no object');
  const { layout } = value as { readonly layout?: unknown };
  const isLayout =
    Array.isArray(layout) &&
    layout.every(
      (each) =>
        Array.isArray(each) && Object.hasOwn(kinds, String(each[0])) && Number.isSafeInteger(each[1]) && each[1] >= 0,
    );
  if (!isLayout) throw refused('its description does not say what follows');
  return value as Description & { readonly layout: Layout };
}

/** The arrays of a block whose kinds are known, or a refusal. */
export function arraysOf<const Kinds extends readonly (keyof typeof kinds)[]>(
  { arrays }: Block,
  ...expected: Kinds
): { [At in keyof Kinds]: InstanceType<(typeof kinds)[Kinds[At]]> } {
  const fits = arrays.length === expected.length && expected.every((kind, at) => arrays[at] instanceof kinds[kind]);
  if (!fits) throw refused('its arrays are not those of its algorithm');
  return arrays as never;
}

/** Refuses a block whose arrays contradict themselves or the nodes. */
export function checkBlock(holds: boolean, what: string): void {
  if (!holds) throw refused(what);
}
