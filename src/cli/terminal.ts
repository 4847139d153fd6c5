/**
 * Where a command writes: lines for people and data for programs, on streams that may close at any time.
 *
 * Invariants: a reader that goes away (EPIPE, a closed terminal) never ends the process by an error; what follows is
 * dropped. A reader that does not read does not fill our memory: above `PENDING_BYTES_MAX` lines are dropped and counted.
 * Colour only on a terminal, and never against NO_COLOR (no-color.org).
 */
import type { Writable } from 'node:stream';
import { styleText } from 'node:util';
import { wrapLine } from './wrap.ts';

/** A screen is 10 KB; a log reader this far behind has gone away. */
const PENDING_BYTES_MAX = 1024 * 1024;

export type Tone = 'good' | 'bad' | 'warn' | 'dim' | 'strong';

const tones = { good: 'green', bad: 'red', warn: 'yellow', dim: 'dim', strong: 'bold' } as const satisfies Record<
  Tone,
  Parameters<typeof styleText>[0]
>;

/** Marks `text` for a terminal that shows colour; gives it back as it is for one that does not. */
export type Paint = (tone: Tone, text: string) => string;

export const plainPaint: Paint = (_tone, text) => text;
const colourPaint: Paint = (tone, text) => styleText(tones[tone], text, { validateStream: false });

export interface Output {
  readonly paint: Paint;
  /** True once the reader has gone. */
  readonly closed: boolean;
  /** Whether a person reads it, and nothing that is kept. */
  readonly isTerminal: boolean;
  /** Characters in a line of the terminal as it is now; null if this is none. */
  readonly columns: number | null;
  line(text: string): void;
  /** For people: on a terminal, a line that is wider than it is broken at spaces. */
  prose(text: string): void;
}

export type OutputStream = Writable & { readonly isTTY?: boolean; readonly columns?: number; readonly fd?: number };

/** What a pipe gets, and far enough for the eye on any terminal. */
const HELP_WIDTH = { least: 80, most: 100 };

/** How wide a help is. */
export function helpWidth({ columns }: Output): number {
  return Math.min(columns ?? HELP_WIDTH.least, HELP_WIDTH.most);
}

class StreamOutput implements Output {
  readonly paint: Paint;
  closed = false;
  #dropped = 0;
  readonly #stream: OutputStream;

  constructor(stream: OutputStream, environment: NodeJS.ProcessEnv) {
    this.#stream = stream;
    this.paint = hasColour(stream, environment) ? colourPaint : plainPaint;
    stream.on('error', () => {
      this.closed = true;
    });
  }

  get isTerminal(): boolean {
    return this.#stream.isTTY === true;
  }

  get columns(): number | null {
    const { isTTY, columns } = this.#stream;
    return isTTY === true && columns !== undefined && columns > 0 ? columns : null;
  }

  prose(text: string): void {
    const { columns } = this;
    this.line(
      columns === null
        ? text
        : text
            .split('\n')
            .flatMap((line) => wrapLine(line, columns))
            .join('\n'),
    );
  }

  line(text: string): void {
    if (this.closed) return;
    if (this.#stream.writableLength > PENDING_BYTES_MAX) {
      this.#dropped++;
      return;
    }
    const lost = this.#dropped;
    this.#dropped = 0;
    const note = lost === 0 ? '' : `(${lost} lines were dropped: nobody read them)\n`;
    this.#stream.write(`${note}${text}\n`);
  }
}

function hasColour(stream: OutputStream, environment: NodeJS.ProcessEnv): boolean {
  const refused = environment['NO_COLOR'] !== undefined && environment['NO_COLOR'] !== '';
  return stream.isTTY === true && !refused && environment['TERM'] !== 'dumb';
}

export function createOutput(stream: OutputStream, environment: NodeJS.ProcessEnv): Output {
  return new StreamOutput(stream, environment);
}

/** Text from a config, a server or a client, with nothing in it that a terminal obeys. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (sign) => `\\u{${(sign.codePointAt(0) ?? 0).toString(16)}}`);
}
