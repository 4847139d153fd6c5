/**
 * Whom a limit counts when nobody is logged in: the address of the client, as a key.
 *
 * - A field of a request is believed only as far as proxies that you trust vouch for it: the client is the rightmost address in
 *   `X-Forwarded-For`, or in `Forwarded` where they write that, that is not a trusted proxy, and with no trusted peer it is the peer, whatever the request says. Else
 *   everyone would invent a new client, with a new quota, for each request.
 * - An IPv6 address counts as its network. A customer is given a /64, which is 2^64 addresses.
 * - One client has one key: an IPv4 address in its IPv6 form (`::ffff:192.0.2.1`) is that IPv4 address, and zones are left out.
 *
 * Cost: about a microsecond. The rule of whom to believe is that of the gateway (client-address.ts).
 */
import { ClientFinder } from '../kernel/client-address.ts';
import { Address, addressFrom, AddressSet, writeAddress } from '../kernel/ip-address.ts';
import { nodesIn } from './forwarded.ts';
import { checkInteger, checkKeys, invalid, textOfGiven } from './options.ts';

/** The field in which proxies write whom they speak for. */
export type ProxyField = 'x-forwarded-for' | 'forwarded';

export interface ClientKeyOptions {
  /**
   * Networks of the proxies in front of this process, such as `'10.0.0.0/8'`; `'unix:'` for those that come over a unix socket.
   * @defaultValue none: the client is the other end of the connection
   */
  readonly trustedProxies?: readonly string[];
  /**
   * The field that they write. One of the two only: the other is as the client sent it, unless they remove it.
   * @defaultValue 'x-forwarded-for'
   */
  readonly proxyField?: ProxyField;
  /** How much of an IPv6 address is one client: 32 to 128 bits. @defaultValue 64 */
  readonly ipv6Prefix?: number;
}

/** A peer without an address: the other end of a unix socket. */
const UNIX = 'unix:';

/** `::`, which is no host. */
const NOBODY = new Address();

/** The longest text of an address. */
const ADDRESS_BYTES = 39;

/**
 * The key of a client: from the address of the connection's other end, and the field of its request that `proxyField` names, several of
 * them joined by commas.
 *
 * @example
 * const keyOf = clientKey({ trustedProxies: ['10.0.0.0/8'] });
 * console.log(keyOf('10.0.0.7', '203.0.113.9, 198.51.100.4')); // 198.51.100.4
 * console.log(keyOf('2001:db8:1:2:3:4:5:6')); // 2001:db8:1:2::/64
 */
export function clientKey(options: ClientKeyOptions = {}): (peer: string | undefined, chain?: string) => string {
  checkKeys('clientKey', options, ['trustedProxies', 'proxyField', 'ipv6Prefix']);
  const { trustedProxies = [], proxyField = 'x-forwarded-for' } = options;
  if (proxyField !== 'x-forwarded-for' && proxyField !== 'forwarded')
    throw invalid(`clientKey: proxyField is “${textOfGiven(proxyField)}”; expected x-forwarded-for or forwarded.`);
  const prefix = checkInteger('clientKey: ipv6Prefix', options.ipv6Prefix ?? 64, 32, 128);
  const trusted = AddressSet.compile(trustedProxies.filter((network) => network !== UNIX));
  if (!(trusted instanceof AddressSet)) {
    throw invalid(
      `clientKey: trustedProxies has “${trusted.mistake}”; expected networks such as 10.0.0.0/8, addresses, or ${UNIX}.`,
    );
  }
  const finder = new ClientFinder(trusted);
  const trustsUnix = trustedProxies.includes(UNIX);
  const nodesOf = proxyField === 'forwarded' ? nodesIn : (chain: string) => chain.split(',');
  return (peer, chain) => {
    const address = peer === undefined ? null : addressFrom(peer);
    const believed = finder.start(address ?? NOBODY) || (peer === undefined && trustsUnix);
    if (believed && chain !== undefined) follow(finder, nodesOf(chain));
    return finder.client.equals(NOBODY) ? UNIX : textOf(finder.client, prefix);
  };
}

/** Reads the hops from the right, as far as they are believed. */
function follow(finder: ClientFinder, nodes: readonly string[]): void {
  for (const hop of nodes.toReversed()) {
    const bytes = Buffer.from(hop.trim(), 'latin1');
    if (!finder.hop(bytes, 0, bytes.length)) return;
  }
}

function textOf(client: Address, prefix: number): string {
  const whole = client.isIpv4 || prefix === 128;
  if (!whole) client.mask(prefix);
  const text = Buffer.alloc(ADDRESS_BYTES);
  const address = text.toString('latin1', 0, writeAddress(client, text, 0));
  return whole ? address : `${address}/${prefix}`;
}
