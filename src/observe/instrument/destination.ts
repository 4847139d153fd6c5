/**
 * Where a request that the service makes ends. By way of a proxy, its path is the whole of another address; the authority of a tunnel
 * (`CONNECT`) and `*` are none, and such a request ends at the proxy itself.
 * Source: RFC 9112 §3.2.
 */

/** What a client tells of a request. */
interface Target {
  readonly scheme: string;
  /** An address of IPv6 without brackets. */
  readonly host: string;
  readonly port: number | null;
  readonly path: string;
}

export interface Destination {
  /** As in a target. */
  readonly host: string;
  /** As a URL, without query and credentials: they may hold anything. */
  readonly address: string;
}

export function destinationOf({ scheme, host, port, path }: Target): Destination {
  const [plain = ''] = path.split('?', 1);
  const forwarded = /^https?:/i.test(plain) ? URL.parse(plain) : null;
  if (forwarded !== null) {
    const { protocol, host: authority, hostname, pathname } = forwarded;
    return { host: bareHost(hostname), address: `${protocol}//${authority}${pathname}` };
  }
  const authority = `${bracketed(host)}${port === null ? '' : `:${port}`}`;
  return { host, address: `${scheme}//${authority}${plain.startsWith('/') ? plain : ''}` };
}

/** As in a URL. */
export function bracketed(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}

/** As it is looked up. */
export function bareHost(hostname: string): string {
  return hostname.startsWith('[') ? hostname.slice(1, -1) : hostname;
}
