/**
 * Where the gateway does not connect to unless a service says so: link-local addresses, and those at which a cloud hands out
 * credentials to whoever asks from inside.
 *
 * An address in the config is refused when the config is read; what a name stands for is known when it is looked up, and may
 * be another the next time (DNS rebinding). So every connection by name, of a request or a health check, looks it up through
 * `lookupFor`.
 * Cost: nothing for an endpoint that is an address; otherwise a few comparisons beside the resolver's work.
 */
import dns, { type LookupAddress } from 'node:dns';
import type { LookupFunction } from 'node:net';
import { SpillwayError } from '../kernel/errors.ts';
import { addressFrom, AddressSet } from '../kernel/ip-address.ts';

const ranges = [
  '169.254.0.0/16',
  'fe80::/10',
  // The same by way of a NAT64 gateway (RFC 6052 §2.1), should one translate it.
  '64:ff9b::a9fe:0/112',
  // Metadata services that live elsewhere: AWS over IPv6, Alibaba Cloud, Oracle's old one.
  'fd00:ec2::254/128',
  '100.100.100.200/32',
  '192.0.0.192/32',
];
const names: readonly string[] = ['metadata.google.internal', 'metadata.goog', 'instance-data'];
const refused = AddressSet.of(ranges);

/** Of a host as it stands in a config, or an address as a resolver gives it. */
export function isLinkLocal(host: string): boolean {
  const address = addressFrom(host);
  return address === null ? names.includes(host) : refused.has(address);
}

/** What `net.connect`, `tls.connect` and `http.request` are to look names up with. */
export function lookupFor(allowLinkLocal: boolean): LookupFunction {
  return allowLinkLocal ? lookup : guardedLookup;
}

const lookup: LookupFunction = (name, options, done) => dns.lookup(name, options, done);

/** Leaves out the addresses that are refused; a name that has no other fails with `ADDRESS_REFUSED`. */
const guardedLookup: LookupFunction = (name, options, done) => {
  dns.lookup(name, { ...options, all: true }, (error, found) => {
    if (error !== null) {
      done(error, '');
      return;
    }
    const allowed = found.filter(({ address }) => !isLinkLocal(address));
    const [first] = allowed;
    if (first === undefined) done(refusal(name, found), '');
    else if (options.all === true) done(null, allowed);
    else done(null, first.address, first.family);
  });
};

function refusal(name: string, found: readonly LookupAddress[]): SpillwayError {
  const addresses = found.map(({ address }) => address).join(', ');
  const why = 'link-local, or where a cloud hands out credentials';
  return new SpillwayError('ADDRESS_REFUSED', `${name} is ${addresses}: ${why} (allowLinkLocal is not set)`);
}
