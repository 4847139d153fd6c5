/**
 * Which names say that a secret is behind them, however they are written: `accessToken`, `ACCESS_TOKEN`, `x-access-token`. Rather one too
 * many than one too few: what is hidden wrongly can be revealed by name.
 *
 * Cost: a lookup; the first time, a pass over the name. What is remembered is bounded, since names come with traffic too.
 */

/** Anywhere in a name of which only letters and digits are left. */
const parts = [
  ...['authorization', 'bearer', 'cookie', 'credential', 'jwt', 'sessionid', 'signature', 'token'],
  ...['passphrase', 'passwd', 'password', 'secret'],
  ...['accesskey', 'apikey', 'privatekey'],
];
/** Too short to be looked for within others. */
const wholes = ['auth', 'cvc', 'cvv', 'otp', 'pass', 'pin', 'pwd', 'sid', 'ssn'];

/** Names that are remembered; a service has some hundreds. */
const KNOWN_MAX = 4096;
const KNOWN_LENGTH_MAX = 64;

export class SecretNames {
  readonly #secret: ReadonlySet<string>;
  readonly #open: ReadonlySet<string>;
  readonly #known = new Map<string, boolean>();

  /** `more` are secret too, and `open` are not, as whole names. */
  constructor(more: readonly string[], open: readonly string[]) {
    this.#secret = new Set([...wholes, ...more.map(lettersOf)]);
    this.#open = new Set(open.map(lettersOf));
  }

  has(name: string): boolean {
    return this.#known.get(name) ?? this.#judge(name);
  }

  #judge(name: string): boolean {
    const letters = lettersOf(name);
    const isSecret =
      !this.#open.has(letters) && (this.#secret.has(letters) || parts.some((part) => letters.includes(part)));
    if (name.length <= KNOWN_LENGTH_MAX && this.#known.size < KNOWN_MAX) this.#known.set(name, isSecret);
    return isSecret;
  }
}

function lettersOf(name: string): string {
  return name.toLowerCase().replaceAll(/[^\p{L}\p{N}]+/gu, '');
}
