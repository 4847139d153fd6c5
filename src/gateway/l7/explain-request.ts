/**
 * A described request as the bytes a client would send, so that the real parser can judge it.
 *
 * `URL` is not used on purpose: it repairs (dot segments, escapes, backslashes), and what it repairs is what the parser is to
 * see. Only the fragment of a URL is taken off, because no client sends it.
 */

export interface ExplainRequest {
  readonly method: string;
  /** `https://shop.example/api/x?y`, or a path alone. */
  readonly url: string;
  /** Name and value, in order. A `Host` here goes before the one of the URL. */
  readonly headers?: readonly (readonly [name: string, value: string])[];
  /** Address it comes from. @defaultValue 127.0.0.1 */
  readonly client?: string;
  /** The listener it arrives on. @defaultValue the first that fits the URL's scheme and port */
  readonly listener?: string;
}

export interface WrittenRequest {
  readonly bytes: Uint8Array;
  /** Null for a path alone. */
  readonly secure: boolean | null;
  readonly port: number | null;
  readonly host: string;
  readonly path: string;
  readonly query: string | null;
  readonly notes: readonly string[];
}

const ABSOLUTE = /^(https?|wss?):\/\/([^/?#]*)(.*)$/is;
/** What a path alone is asked for, if no `Host` is given. */
const HOST_DEFAULT = 'localhost';
const USUAL: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

export function writeRequest(request: ExplainRequest): WrittenRequest {
  const notes: string[] = [];
  const absolute = ABSOLUTE.exec(request.url);
  const scheme = absolute?.[1]?.toLowerCase() ?? null;
  const secure = scheme === null ? null : scheme === 'https' || scheme === 'wss';
  let target = absolute === null ? request.url : (absolute[3] ?? '');
  const hash = target.indexOf('#');
  if (hash >= 0 && absolute !== null) {
    target = target.slice(0, hash);
    notes.push('The part after # is not sent by clients and was left out.');
  }
  if (absolute !== null && !target.startsWith('/')) target = `/${target}`;

  const fields = [...(request.headers ?? [])];
  const given = fields.find(([name]) => name.toLowerCase() === 'host');
  const authority = absolute?.[2] ?? null;
  if (given === undefined) {
    fields.unshift(['Host', authority ?? HOST_DEFAULT]);
    if (authority === null) notes.push(hostNote(request.url));
  } else if (authority !== null && given[1] !== authority)
    notes.push(`The Host field, ${given[1]}, is used and not ${authority}.`);

  const method = request.method.toUpperCase();
  if (method !== request.method && USUAL.has(method))
    notes.push(`Methods are told apart by case, and ${request.method} is not ${method} (RFC 9110 §9.1).`);

  const lines = [`${request.method} ${target} HTTP/1.1`, ...fields.map(([name, value]) => `${name}: ${value}`)];
  const query = target.indexOf('?');
  return {
    bytes: Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'utf8'),
    secure,
    port: portOf(authority, secure),
    host: given?.[1] ?? authority ?? HOST_DEFAULT,
    path: query < 0 ? target : target.slice(0, query),
    query: query < 0 ? null : target.slice(query + 1),
    notes,
  };
}

function hostNote(url: string): string {
  if (/^[\w[][\w.:[\]-]*(\/|$)/.test(url)) return `A URL begins with http:// or https://. Did you mean http://${url}?`;
  return `No host was given; ${HOST_DEFAULT} is assumed. Give a whole URL or -H 'Host: …'.`;
}

function portOf(authority: string | null, secure: boolean | null): number | null {
  if (authority === null) return null;
  const written = /:(\d+)$/.exec(authority)?.[1];
  if (written !== undefined) return Number(written);
  return secure === true ? 443 : 80;
}
