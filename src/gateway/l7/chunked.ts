/**
 * The chunked transfer coding: a decoder that can be stopped and resumed at any byte, and the head of a chunk we send.
 *
 *     chunked-body = *( 1*HEXDIG [ chunk-ext ] CRLF data CRLF ) 1*"0" [ chunk-ext ] CRLF *( field-line CRLF ) CRLF
 *
 * The decoder copies no data: it says which bytes of the input are data. It ends exactly behind the message; what follows is
 * the next one's. Extensions are read, bounded and forgotten; trailer fields are collected, bounded and freed of those that
 * may not come late (RFC 9110 §6.5.1).
 *
 * Invariants: the same events for any fragmentation; a line ends with CRLF and nothing else; after CHUNK_BAD there is only
 * CHUNK_BAD. Cost: a few ns a byte of framing, none a byte of data; nothing is allocated unless there are trailers.
 * Source: RFC 9112 §7.1, §7.1.1, §7.1.2.
 */
import { isTrailerAllowed } from './fields.ts';
import { COLON, CR, DEL, LF, SP, TAB, ZERO, isPlainName, isToken } from './syntax.ts';

/** `[dataStart, dataEnd)` is content; there may be more in this input. */
export const CHUNK_DATA = 0;
/** The message is complete; `position` is the first byte that is not part of it. */
export const CHUNK_END = 1;
/** All input is consumed. */
export const CHUNK_MORE = 2;
/** This is no chunked body; `problem` says why. */
export const CHUNK_BAD = 3;

/** More digits than a length can have; without a bound, leading zeros could go on for ever. */
const SIZE_DIGITS_MAX = 16;
/** Extensions of one message. Nobody uses them; endless ones were an attack on Go and on Node. */
const EXTENSION_BYTES_MAX = 8192;
/** Trailer section of one message, dropped fields included. */
export const TRAILER_BYTES_MAX = 8192;
const TRAILER_FIELDS_MAX = 100;

const SEMICOLON = 59;
const EQUALS = 61;
const QUOTE = 34;
const BACKSLASH = 92;

// States
const SIZE = 0;
const EXTENSION = 1;
const SIZE_LF = 2;
const DATA = 3;
const DATA_CR = 4;
const DATA_LF = 5;
const TRAILER = 6;
const ENDED = 7;
const BAD = 8;

// States within an extension: *( ";" name [ "=" ( token / quoted-string ) ] )
const NAME_FIRST = 0;
const NAME = 1;
const VALUE_FIRST = 2;
const VALUE = 3;
const QUOTED = 4;
const ESCAPED = 5;
const QUOTED_END = 6;
const EXTENSION_BAD = 7;

const NO_BYTES = new Uint8Array(0);
const NO_NAMES: readonly string[] = [];

/** The value of a hexadecimal digit, or 255. */
const hexValue = new Uint8Array(256).fill(255);
for (let digit = 0; digit < 16; digit += 1) {
  hexValue[digit.toString(16).charCodeAt(0)] = digit;
  hexValue[digit.toString(16).toUpperCase().charCodeAt(0)] = digit;
}

export class ChunkedDecoder {
  /** The first byte of the last input that was not consumed. */
  position = 0;
  dataStart = 0;
  dataEnd = 0;
  /** After CHUNK_END: `trailers[0, trailerBytes)` are the field lines to pass on, each with its CRLF. Never more bytes than came in. */
  trailers: Uint8Array = NO_BYTES;
  trailerBytes = 0;
  problem = '';

  #state = SIZE;
  #remaining = 0;
  #digits = 0;
  #extensionState = NAME_FIRST;
  #extensionBytes = 0;
  #trailerBytesSeen = 0;
  #trailerFields = 0;
  /** Length of the trailer line that is being collected behind `trailerBytes`. */
  #lineBytes = 0;
  #listed = NO_NAMES;

  /** Begins a new message. `listed`: lower-case names in its Connection field, which concern trailers too. */
  reset(listed: readonly string[] = NO_NAMES): void {
    this.position = 0;
    this.dataStart = 0;
    this.dataEnd = 0;
    this.trailers = NO_BYTES;
    this.trailerBytes = 0;
    this.problem = '';
    this.#state = SIZE;
    this.#remaining = 0;
    this.#digits = 0;
    this.#extensionBytes = 0;
    this.#trailerBytesSeen = 0;
    this.#trailerFields = 0;
    this.#lineBytes = 0;
    this.#listed = listed;
  }

  /** Goes on with `buffer[from, to)`. After CHUNK_DATA call again from `position`. */
  next(buffer: Uint8Array, from: number, to: number): number {
    let at = from;
    while (at < to) {
      switch (this.#state) {
        case SIZE:
          at = this.#readSize(buffer, at, to);
          break;
        case EXTENSION:
          at = this.#readExtension(buffer, at, to);
          break;
        case SIZE_LF:
          if (buffer[at] !== LF) return this.#bad(at, 'A CR after a chunk size is not followed by LF (RFC 9112 §7.1).');
          at += 1;
          this.#digits = 0;
          this.#state = this.#remaining === 0 ? TRAILER : DATA;
          break;
        case DATA: {
          const end = this.#remaining < to - at ? at + this.#remaining : to;
          this.#remaining -= end - at;
          if (this.#remaining === 0) this.#state = DATA_CR;
          this.dataStart = at;
          this.dataEnd = end;
          this.position = end;
          return CHUNK_DATA;
        }
        case DATA_CR:
          if (buffer[at] !== CR) return this.#bad(at, 'The data of a chunk is not followed by CRLF (RFC 9112 §7.1).');
          at += 1;
          this.#state = DATA_LF;
          break;
        case DATA_LF:
          if (buffer[at] !== LF) return this.#bad(at, 'The data of a chunk is not followed by CRLF (RFC 9112 §7.1).');
          at += 1;
          this.#state = SIZE;
          break;
        case TRAILER:
          at = this.#readTrailer(buffer, at, to);
          break;
        case ENDED:
          this.position = at;
          return CHUNK_END;
        default:
          this.position = at;
          return CHUNK_BAD;
      }
    }
    this.position = at;
    if (this.#state === ENDED) return CHUNK_END;
    return this.#state === BAD ? CHUNK_BAD : CHUNK_MORE;
  }

  #bad(at: number, problem: string): number {
    this.#state = BAD;
    this.problem = problem;
    this.position = at;
    return CHUNK_BAD;
  }

  #readSize(buffer: Uint8Array, at: number, to: number): number {
    while (at < to) {
      const byte = buffer[at]!;
      const digit = hexValue[byte]!;
      if (digit === 255) {
        if (this.#digits === 0) return this.#badAt(at, 'A chunk size is missing or not hexadecimal (RFC 9112 §7.1).');
        if (byte === CR) {
          this.#state = SIZE_LF;
        } else if (byte === SEMICOLON) {
          this.#state = EXTENSION;
          this.#extensionState = NAME_FIRST;
        } else {
          return this.#badAt(at, 'After a chunk size comes an extension or CRLF (RFC 9112 §7.1).');
        }
        return at + 1;
      }
      this.#digits += 1;
      this.#remaining = this.#remaining * 16 + digit;
      if (this.#digits > SIZE_DIGITS_MAX || this.#remaining > Number.MAX_SAFE_INTEGER) {
        return this.#badAt(at, 'A chunk size is too large (RFC 9112 §7.1).');
      }
      at += 1;
    }
    return at;
  }

  /** As `#bad`, for the readers, which return where they stopped; the loop sees the state. */
  #badAt(at: number, problem: string): number {
    this.#bad(at, problem);
    return at;
  }

  #readExtension(buffer: Uint8Array, at: number, to: number): number {
    while (at < to) {
      const byte = buffer[at]!;
      if (byte === CR && endsExtension(this.#extensionState)) {
        this.#state = SIZE_LF;
        return at + 1;
      }
      this.#extensionBytes += 1;
      if (this.#extensionBytes > EXTENSION_BYTES_MAX) {
        return this.#badAt(at, 'The chunk extensions are too long (RFC 9112 §7.1.1).');
      }
      this.#extensionState = nextInExtension(this.#extensionState, byte);
      if (this.#extensionState === EXTENSION_BAD) {
        return this.#badAt(at, 'A chunk extension is malformed (RFC 9112 §7.1.1).');
      }
      at += 1;
    }
    return at;
  }

  #readTrailer(buffer: Uint8Array, at: number, to: number): number {
    if (
      this.#lineBytes === 0 &&
      this.#trailerBytesSeen === 0 &&
      to - at >= 2 &&
      buffer[at] === CR &&
      buffer[at + 1] === LF
    ) {
      this.#state = ENDED;
      return at + 2;
    }
    if (this.trailers.length === 0) this.trailers = new Uint8Array(TRAILER_BYTES_MAX);
    while (at < to) {
      if (this.#trailerBytesSeen === TRAILER_BYTES_MAX) {
        return this.#badAt(at, 'The trailer section is too large (RFC 9112 §7.1.2).');
      }
      const byte = buffer[at]!;
      this.trailers[this.trailerBytes + this.#lineBytes] = byte;
      this.#lineBytes += 1;
      this.#trailerBytesSeen += 1;
      at += 1;
      if (byte !== LF) continue;
      const problem = this.#takeLine();
      if (problem !== '') return this.#badAt(at - 1, problem);
      if (this.#state === ENDED) return at;
    }
    return at;
  }

  /** Judges the line that is complete now. Returns what is wrong with it, if anything. */
  #takeLine(): string {
    const { trailers } = this;
    const from = this.trailerBytes;
    const to = from + this.#lineBytes - 2;
    this.#lineBytes = 0;
    if (to < from || trailers[to] !== CR) return 'A trailer line ends with a bare LF (RFC 9112 §2.2).';
    if (to === from) {
      this.#state = ENDED;
      return '';
    }
    this.#trailerFields += 1;
    if (this.#trailerFields > TRAILER_FIELDS_MAX) return 'The trailer section has too many fields (RFC 9112 §7.1.2).';
    let colon = from;
    while (colon < to && isToken[trailers[colon]!] === 1) colon += 1;
    if (colon === from || trailers[colon] !== COLON) return 'A trailer field has no proper name (RFC 9112 §5).';
    for (let at = colon + 1; at < to; at += 1) {
      const byte = trailers[at]!;
      if ((byte < SP && byte !== TAB) || byte === DEL)
        return 'A trailer field has a control character (RFC 9110 §5.5).';
    }
    if (this.#passes(from, colon)) this.trailerBytes = to + 2;
    return '';
  }

  #passes(from: number, colon: number): boolean {
    const { trailers } = this;
    // A name with an underscore could stand for a field that is not allowed here.
    for (let at = from; at < colon; at += 1) if (isPlainName[trailers[at]!] === 0) return false;
    if (!isTrailerAllowed(trailers, from, colon)) return false;
    if (this.#listed.length === 0) return true;
    const name = Buffer.from(trailers.buffer, trailers.byteOffset + from, colon - from)
      .toString('latin1')
      .toLowerCase();
    return !this.#listed.includes(name);
  }
}

function endsExtension(state: number): boolean {
  return state === NAME || state === VALUE || state === QUOTED_END;
}

/** No blanks anywhere but in quotes: the grammar calls those bad (BWS), and a size followed by one is read in two ways. */
function nextInExtension(state: number, byte: number): number {
  switch (state) {
    case NAME_FIRST:
      return isToken[byte] === 1 ? NAME : EXTENSION_BAD;
    case NAME:
      if (isToken[byte] === 1) return NAME;
      if (byte === EQUALS) return VALUE_FIRST;
      return byte === SEMICOLON ? NAME_FIRST : EXTENSION_BAD;
    case VALUE_FIRST:
      if (byte === QUOTE) return QUOTED;
      return isToken[byte] === 1 ? VALUE : EXTENSION_BAD;
    case VALUE:
      if (isToken[byte] === 1) return VALUE;
      return byte === SEMICOLON ? NAME_FIRST : EXTENSION_BAD;
    case QUOTED:
      if (byte === QUOTE) return QUOTED_END;
      if (byte === BACKSLASH) return ESCAPED;
      return isText(byte) ? QUOTED : EXTENSION_BAD;
    case ESCAPED:
      return isText(byte) ? QUOTED : EXTENSION_BAD;
    case QUOTED_END:
      return byte === SEMICOLON ? NAME_FIRST : EXTENSION_BAD;
    default:
      return EXTENSION_BAD;
  }
}

function isText(byte: number): boolean {
  return byte === TAB || (byte >= SP && byte !== DEL);
}

/** Writes the size of a chunk and its CRLF, for `length` > 0. Returns the index after it; at most 16 bytes. */
export function writeChunkHead(out: Uint8Array, at: number, length: number): number {
  let digits = 1;
  for (let rest = length; rest >= 16; rest = Math.floor(rest / 16)) digits += 1;
  let rest = length;
  for (let i = at + digits - 1; i >= at; i -= 1) {
    const digit = rest % 16;
    out[i] = digit < 10 ? ZERO + digit : 87 + digit;
    rest = Math.floor(rest / 16);
  }
  at += digits;
  out[at] = CR;
  out[at + 1] = LF;
  return at + 2;
}
