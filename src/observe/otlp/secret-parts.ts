/**
 * Whether a text has anything of what is secret: four characters in a row of a value, whatever stands between them, in either case, and also as JSON, a URL, HTML or base64 write them.
 *
 * What was sent to a collector comes back in its answers as it likes: whole, cut off, escaped. So a text that has such a part is not mended but not shown at all;
 * what is shown then has three characters of a secret at most. It errs on that side: a word that a secret has too hides the text it is in.
 * Cost: a set of the parts of each value, and a look for each character of the text.
 */

/** As many tell nothing of a value that is worth guessing, and stand in words of all kinds if it is shorter. */
const PART = 4;
/** Of what is encoded: as much as three characters. */
const ENCODED_PART = 6;
/** Escaped twice is usual, where an error is told on; more is nobody's. */
const DECODED_MAX = 4;
/** In front of a credential, and in every second message about one. RFC 9110 §11.1 and what is common beside. */
const SCHEME = /^(?:basic|bearer|digest|token|api-?key|negotiate|signature)\s+/i;
const named: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };
const ESCAPED =
  /%([0-9a-f]{2})|\\u([0-9a-f]{4})|\\x([0-9a-f]{2})|&#x([0-9a-f]{1,6});|&#(\d{1,7});|&(amp|lt|gt|quot|apos);|\\(.)/gi;

export class SecretParts {
  readonly #parts = new Set<string>();
  readonly #encoded = new Set<string>();
  #isTooShort = false;

  constructor(values: readonly string[]) {
    for (const value of values) {
      const own = value.trim().replace(SCHEME, '');
      this.#add(own);
      // What `Basic` encodes is as secret as what it sends.
      if (/^[A-Za-z0-9+/]{8,}={0,2}$/.test(own)) this.#add(Buffer.from(own, 'base64').toString('latin1'), true);
    }
  }

  /** A value has no part that could be looked for, so that no text is safe to show. */
  get isTooShort(): boolean {
    return this.#isTooShort;
  }

  isIn(text: string): boolean {
    let read: ReadonlySet<string> = new Set([text]);
    for (let times = 0; times <= DECODED_MAX; times++) {
      if ([...read].some((each) => this.#isInBare(bare(each)))) return true;
      // What a tab is to JSON may be a backslash and a letter of a value.
      const next = new Set([...read].flatMap((each) => [unescaped(each, false), unescaped(each, true)]));
      if ([...next].every((each) => read.has(each))) return false;
      read = next;
    }
    return true;
  }

  #isInBare(text: string): boolean {
    return (
      partsOf(text, PART).some((part) => this.#parts.has(part)) ||
      partsOf(text, ENCODED_PART).some((part) => this.#encoded.has(part))
    );
  }

  #add(value: string, isDerived = false): void {
    const own = bare(value);
    if (own.length < PART && !isDerived) this.#isTooShort ||= value !== '';
    for (const part of partsOf(own, PART)) this.#parts.add(part);
    // Wherever it begins in what is encoded: without the ends, which its neighbours change.
    for (const before of [0, 1, 2]) {
      const encoded = Buffer.from('\0'.repeat(before) + value, 'latin1')
        .toString('base64')
        .replace(/=+$/, '');
      for (const part of partsOf(bare(encoded.slice(before === 0 ? 0 : before + 1, -1)), ENCODED_PART))
        this.#encoded.add(part);
    }
  }
}

/** Without what a text may be broken, quoted or escaped with; and without letters that are others or none in another encoding, as a log has them too. */
function bare(text: string): string {
  return text.toLowerCase().replaceAll(/[^a-z0-9]/g, '');
}

function partsOf(text: string, length: number): string[] {
  return Array.from({ length: Math.max(0, text.length - length + 1) }, (_, at) => text.slice(at, at + length));
}

function unescaped(text: string, isSpace: boolean): string {
  return text.replaceAll(ESCAPED, (_, ...groups: (string | undefined)[]) => {
    const [percent, unicode, byte, hex, decimal, name, other] = groups;
    const digits = percent ?? unicode ?? byte ?? hex;
    if (digits !== undefined) return pointOf(Number.parseInt(digits, 16));
    if (decimal !== undefined) return pointOf(Number(decimal));
    if (name !== undefined) return named[name.toLowerCase()] ?? '';
    return isSpace && /^[bfnrt]$/i.test(other ?? '') ? ' ' : (other ?? '');
  });
}

function pointOf(code: number): string {
  return code <= 0x10ffff ? String.fromCodePoint(code) : '';
}
