/**
 * Who is told what a piece of work is about. `baggage`, `x-request-id` and `tracestate` hold what somebody here or before has written into them, a
 * name of a customer perhaps: by default they go only to where a private network is, for nobody looks at each host that a service asks.
 * `traceparent`, random numbers, goes to all: a trace is whole where others take part in it.
 * Source: W3C Baggage (privacy considerations), RFC 1918, 4193, 6598, 6761, 6762 and 8375; ICANN's reservation of `.internal`.
 */
import { addressFrom, AddressSet } from '../../kernel/ip-address.ts';
import { invalid } from '../../kernel/options.ts';
import { bareHost, bracketed, type Destination } from './destination.ts';

/**
 * Names of hosts beside those of private networks, of which one that begins with a dot (`'.corp.example'`) stands for all below it; or what decides
 * alone, of an address without its query. What it throws is a no, and so is all that is not `true`.
 */
export type OwnHosts = readonly string[] | ((url: URL) => boolean);

const networks = AddressSet.of([
  '127.0.0.0/8',
  '10.0.0.0/8',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '169.254.0.0/16',
  '100.64.0.0/10',
  '::1/128',
  'fc00::/7',
  'fe80::/10',
]);
/** None of them is, or will be, a name of the public; `.svc` is how Kubernetes shortens its own. */
const suffixes = ['.internal', '.local', '.localhost', '.test', '.home.arpa', '.svc'];

export function ownHosts(given: OwnHosts = []): (destination: Destination) => boolean {
  if (typeof given === 'function') return decidedBy(given);
  if (!Array.isArray(given)) throw invalid('instrument: ownHosts is neither a list of hosts nor a function.');
  const names = (given as readonly unknown[]).map(checkHost);
  const isNamed = (host: string): boolean =>
    names.some((name) => (name.startsWith('.') ? host.endsWith(name) : host === name));
  return ({ host }) => {
    const name = lookedUp(host);
    return name !== null && (isPrivate(name) || isNamed(name));
  };
}

function decidedBy(isOwn: (url: URL) => boolean): (destination: Destination) => boolean {
  // A promise is no yes.
  const says = isOwn as (url: URL) => unknown;
  return ({ address }) => {
    const url = URL.parse(address);
    try {
      return url !== null && says(url) === true;
    } catch {
      // WHY nothing is said: the request is somebody's work, and goes out as it would if nobody looked at it.
      return false;
    }
  };
}

/** As it is looked up, of which there is one way to write it: `151587081` is an address, and one of the public. Null if it is no host. */
function lookedUp(host: string): string | null {
  const [name = ''] = host.split('%', 1);
  if (/[/?#@\\]/.test(name)) return null;
  const url = URL.parse(`http://${bracketed(name)}/`);
  return url === null ? null : bareHost(url.hostname).replace(/\.$/, '');
}

function isPrivate(host: string): boolean {
  const address = addressFrom(host);
  if (address !== null) return networks.has(address);
  return !host.includes('.') || suffixes.some((suffix) => host.endsWith(suffix));
}

/** As it is looked up. */
function checkHost(given: unknown): string {
  const name = typeof given === 'string' ? bareHost(given.toLowerCase()) : '';
  const host = name.replace(/^\./, '');
  if (addressFrom(host) !== null || (host !== '' && URL.parse(`http://${host}/`)?.host === host)) {
    return name.startsWith('.') ? name : lookedUp(name)!;
  }
  throw invalid(
    `instrument: ownHosts has ${JSON.stringify(given)?.slice(0, 80)}; expected the name of a host, without scheme and port, such as shop.example or .shop.example.`,
  );
}
