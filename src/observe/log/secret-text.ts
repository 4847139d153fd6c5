/**
 * Secrets within a text, where their form gives them away: the password of a URL, `token=…` of a query, `"password":"…"` of JSON that became
 * a string, `password: '…'` of an object that was printed, `Authorization: …` of a head, `Bearer …`, `--password …` of a command, `PASSWORD '…'` of SQL,
 * a signed token (JWT), a private key (PEM). What has no form, as a password in a sentence, nobody finds.
 *
 * Cost: a text is looked through once; if something in it could be such a form, once more for each of them. Linear in its length.
 */
import type { SecretNames } from './secret-names.ts';

export const HIDDEN = '[redacted]';

/** One sign that each of the forms has and few texts: to look for words here made it three times as long. */
const SUSPICIOUS = /[=@:'J-]|[Bb]earer|BEARER/;
/** `://user:password@`, also with an `@` in the password. */
const URL_PASSWORD = /(:\/\/[^\s/:]*:)[^\s/]*@/g;
/** The name of a member of JSON, also of JSON within JSON. A run of backslashes is begun at its first only: from each it is quadratic. */
const MEMBER = /(?<!\\)(\\*)"([^"\\]{2,})\1"\s*:\s*/g;
/** A field of a head, to the end of its line. */
const FIELD = /\b((?:proxy-)?authorization|(?:set-)?cookie|x-api-key)(\s*:\s*["']?)(?!\[redacted\])[^\r\n"'\\]+/gi;
const FIELD_NAME = /authorization|cookie|x-api-key/i;
/** `name: 'value'`, as objects are printed, and `name = 'value'`. */
const QUOTE = /['"`]/;
const PRINTED = /(?<![\w$-])([\w$-]{2,})(\s*[:=]\s*)('[^']*'?|"[^"]*"?|`[^`]*`?)/g;
/** `name=value`, of a query, a form, a connection string. */
const PAIR = /(?<![\w.[\]%-])([\w.[\]%-]{2,})=("[^"]*"?|'[^']*'?|[^\s&;,"']+)/g;
const BEARER_WORD = /bearer/i;
const BEARER = /\b(bearer\s+)[\w.~+/=-]{8,}/gi;

/** `--name value` of a command, also as the list of its words is printed; one with `=` is a pair. */
const FLAG = /(?<![\w-])(--[\w-]{2,})(\s+(?!-)|["'],\s*(?!["']?-))("[^"]*"?|'[^']*'?|\S+)/g;
/** Of SQL, as in `ALTER ROLE shop PASSWORD '…'` or `CREATE USER shop IDENTIFIED BY '…'`. */
const SQL_PASSWORD = /\b((?:password|identified\s+(?:with\s+\S+\s+)?by)\s+)E?'(?:[^']|'')*'?/gi;
const PASSWORD_WORD = /password|identified/i;
/** The header of a JWT is JSON in base64url, which begins so; what follows is opaque, of an encrypted one in five parts. Some may be empty. */
const SIGNED_TOKEN = /(?<![\w-])eyJ[\w-]{6,}(?:\.[\w-]*){2,4}/g;
/** To its end, or to that of the text if it is cut. Line ends may be escaped or be something else; a sentence about keys has none and no base64. */
const PRIVATE_KEY =
  /-----BEGIN ((?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?)-----(?=[\r\n\\]|[^A-Za-z]{0,8}[\w+/]{16})[^]*?(?:-----END \1-----|$)/g;

export function withoutSecrets(text: string, names: SecretNames): string {
  if (!SUSPICIOUS.test(text)) return text;
  let open = text;
  if (text.includes('PRIVATE KEY')) open = open.replaceAll(PRIVATE_KEY, `-----BEGIN $1-----${HIDDEN}`);
  if (text.includes('@')) open = open.replaceAll(URL_PASSWORD, `$1${HIDDEN}@`);
  if (text.includes('"')) open = withoutMembers(open, names);
  const hasColon = text.includes(':');
  if (hasColon && FIELD_NAME.test(text)) open = open.replaceAll(FIELD, `$1$2${HIDDEN}`);
  if ((hasColon || text.includes('=')) && QUOTE.test(text)) {
    open = open.replaceAll(PRINTED, (whole, name: string, colon: string) =>
      names.has(name) ? `${name}${colon}'${HIDDEN}'` : whole,
    );
  }
  if (text.includes('=')) {
    open = open.replaceAll(PAIR, (whole, name: string) => (names.has(decoded(name)) ? `${name}=${HIDDEN}` : whole));
  }
  if (text.includes('--')) {
    open = open.replaceAll(FLAG, (whole, flag: string, gap: string) =>
      names.has(flag) ? `${flag}${gap}${HIDDEN}` : whole,
    );
  }
  if (text.includes("'") && PASSWORD_WORD.test(text)) open = open.replaceAll(SQL_PASSWORD, `$1'${HIDDEN}'`);
  if (text.includes('eyJ')) open = open.replaceAll(SIGNED_TOKEN, HIDDEN);
  return BEARER_WORD.test(text) ? open.replaceAll(BEARER, `$1${HIDDEN}`) : open;
}

/** Values of secret members of JSON. Others are not skipped: they may hold JSON in their turn. */
function withoutMembers(text: string, names: SecretNames): string {
  let rest = 0;
  let result = '';
  for (const { 0: member, 1: escapes = '', 2: name = '', index } of text.matchAll(MEMBER)) {
    const start = index + member.length;
    if (index < rest || !names.has(name)) continue;
    const quote = `${escapes}"`;
    result += text.slice(rest, start) + quote + HIDDEN + quote;
    rest = valueEnd(text, start, quote);
  }
  return rest === 0 ? text : result + text.slice(rest);
}

/** The end of a value of JSON. Where it is not plain to see, rather too far: an object or array takes the whole rest. */
function valueEnd(text: string, start: number, quote: string): number {
  if (text[start] === '{' || text[start] === '[') return text.length;
  if (!text.startsWith(quote, start)) {
    const length = text.slice(start).search(/[\s,}\]]/);
    return length === -1 ? text.length : start + length;
  }
  let end = text.indexOf(quote, start + quote.length);
  // One that is escaped once more belongs to the value.
  while (end !== -1 && text[end - 1] === '\\') end = text.indexOf(quote, end + quote.length);
  return end === -1 ? text.length : end + quote.length;
}

function decoded(name: string): string {
  try {
    return name.includes('%') ? decodeURIComponent(name) : name;
  } catch {
    return name;
  }
}
