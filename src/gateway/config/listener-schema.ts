/**
 * `listeners`: the addresses that accept, and what a client may do there. Every limit is finite; the comment beside a
 * default says why that number: what a slow or large client may cost.
 */
import * as z from 'zod';
import { limitUses } from './limit-schema.ts';
import { count, duration, expects, file, flag, list, name, oneOf, section, size } from '../../reading/values.ts';
import { address, range } from './values.ts';

const certificate = section({
  certificate: file().describe(
    'PEM file with the certificate and its chain, leaf first. Read again when it changes, without cutting a connection.',
  ),
  key: file().describe(
    'PEM file with the private key, not encrypted. Readable by its owner alone (mode 0600), else a warning.',
  ),
});

const listenerTls = section({
  certificate: file()
    .optional()
    .describe(
      'PEM file with the certificate and its chain, leaf first. Goes with `key`; for several use `certificates`.',
    ),
  key: file().optional().describe('PEM file with the private key of `certificate`. Mode 0600, else a warning.'),
  // 1,000 TLS contexts are about 100 MB a worker.
  certificates: list(certificate, { what: '{ certificate, key }', min: 1, max: 1000 })
    .optional()
    .describe('Several certificates, chosen by the name the client asks for (SNI). The first is the default.'),
  // RFC 9325 §3.1.1: 1.0 and 1.1 are not to be negotiated; 1.2 still is, by clients that cannot do better.
  // Unquoted in YAML it is a number.
  minVersion: z
    .literal(['1.2', '1.3', 1.2, 1.3], expects('1.2 or 1.3'))
    .prefault('1.2')
    .transform((given) => (Number(given) === 1.3 ? ('TLSv1.3' as const) : ('TLSv1.2' as const)))
    .describe('The oldest TLS version spoken: 1.2 (with AEAD and forward secrecy only) or 1.3.'),
  unknownSni: oneOf(['default', 'reject'])
    .prefault('default')
    .describe(
      'What a client gets that names a server no certificate is for, or none: the first certificate (`default`) or no handshake (`reject`).',
    ),
  clientCa: file()
    .optional()
    .describe(
      'PEM file of authorities. If set, a client must show a certificate from one of them (mutual TLS); without one the handshake fails.',
    ),
});

const listenerLimits = section({
  requests: limitUses().describe(
    'Names of the `limits` that every request meets which comes here and has a route; `{ limit, cost }` where a request takes more than 1. Over one: 429.',
  ),
  // What nginx and Node allow; long enough for any URL a browser sends.
  requestLine: size({ min: 64, max: 65536 })
    .prefault('8kb')
    .describe('Longest request line (method, target, version, line break). Over it: 414. At most `header`.'),
  // Four times the usual cookie limit of 8 kB for one field.
  header: size({ min: 256, max: 2 ** 20 })
    .prefault('32kb')
    .describe(
      'Largest request head, request line included. Over it: 431. A trailer section may have 8 kB, whatever this is.',
    ),
  // Browsers send about 20; hash-flood and field-smuggling tricks need many.
  headerFields: count(1, 10_000)
    .prefault(100)
    .describe('Most fields in a request head. Over it: 431. A trailer section may have 100, whatever this is.'),
  // Idle over TLS at 40 KB each: 800 MB. Below the usual hard limit of 20,480+ open files with room for upstreams.
  connections: count(1, 1_000_000)
    .prefault(20_000)
    .describe(
      'Most open connections on this listener, all workers together, TLS handshakes under way included. One more is accepted and closed at once, and counted.',
    ),
  // A fifth of the whole: one address cannot take the listener, an office behind one NAT address still fits.
  connectionsPerIp: count(1, 1_000_000)
    .prefault(4000)
    .describe(
      'Most open connections from one client, per worker: from one IPv4 address, or from one IPv6 /64, which is the least that anyone owns. One more is accepted and closed at once, and counted. Addresses in `trustedProxies` have no such limit; where a proxy sends a PROXY protocol header, the client it names counts.',
    ),
  // Spreads long-lived clients over workers again now and then; the cost of a new connection is 1/10,000 a request.
  requestsPerConnection: count(1, 1_000_000_000)
    .prefault(10_000)
    .describe('Most requests on one connection; the last answer says `Connection: close`.'),
  // A tenth of the slowest mobile line; a client below it holds a server for hours (slow POST).
  requestBodyRate: size({ min: 0, max: 2 ** 30 })
    .prefault('500b')
    .describe('Bytes a second that a request body must bring, looked at every 5 s. Slower: 408. `0b` is no minimum.'),
});

const listenerTimeouts = section({
  // A head is 1 to 3 packets: ten seconds survive two lost ones on a bad mobile link.
  header: duration()
    .prefault('10s')
    .describe(
      'From the first byte of a request head to its end, in total, however steadily bytes trickle in. Over it: 408.',
    ),
  // Longer than a reader's pause between two clicks, and what browsers and load balancers in front expect.
  idle: duration().prefault('60s').describe('How long a connection without a request stays open.'),
  // Several TCP retransmissions; not a total, so a large upload over a slow line goes through.
  bodyIdle: duration()
    .prefault('30s')
    .describe('Longest pause between two bytes of a request body. Each byte starts it anew. Over it: 408.'),
  writeIdle: duration()
    .prefault('30s')
    .describe(
      'Longest time in which a client takes no byte of an answer that waits for it; then the connection is reset.',
    ),
  // Two round trips and one signature; anything slower is broken or hostile.
  handshake: duration()
    .prefault('5s')
    .describe('From the accept to the end of the TLS handshake; the PROXY protocol header has 3 s of it.'),
  halfClose: duration()
    .prefault('10s')
    .describe('A client that closed its sending side is still answered if the answer begins within this time.'),
});

const listenerStrict = section({
  underscoresInNames: oneOf(['reject', 'drop'])
    .prefault('reject')
    .describe(
      'Field names with an underscore, which many servers read as a dash (X_A for X-A): answer 400 (`reject`) or remove the field (`drop`).',
    ),
  escapedSlashes: oneOf(['reject', 'keep'])
    .prefault('reject')
    .describe(
      '%2F and %5C in a path, which servers disagree on: answer 400 (`reject`) or pass them on as they are (`keep`). A bare backslash follows the same rule; %00 is always refused.',
    ),
  mergeSlashes: flag()
    .prefault(false)
    .describe('Read `//` in a path as `/`, for routing and for what the endpoint sees.'),
});

const forwarding = section({
  xForwarded: flag()
    .prefault(true)
    .describe(
      'Send `X-Forwarded-For`, `-Proto`, `-Host`, `-Port` and `X-Real-IP`. Values from untrusted clients are replaced.',
    ),
  forwarded: flag()
    .prefault(false)
    .describe('Send `Forwarded` (RFC 7239). Values from untrusted clients are replaced.'),
  requestId: flag()
    .prefault(true)
    .describe('Send `X-Request-Id`: a new one, or the one a trusted proxy sent. The access log shows the same id.'),
  traceparent: flag()
    .prefault(true)
    .describe('Send `traceparent` (W3C Trace Context): a new trace, or a span of the trace a trusted proxy began.'),
});

export const listenerSchema = section({
  name: name().describe('Name of this listener in routes, metrics and logs. Unique among listeners.'),
  address: address('listen').describe(
    'Where to listen: `host:port`. `:8080` is every IPv4 address, `[::]:8080` IPv6 and IPv4; port 0 takes a free port.',
  ),
  tls: listenerTls.optional().describe('Encrypt this listener. Either `certificate` with `key`, or `certificates`.'),
  limits: listenerLimits
    .prefault({})
    .describe('How much a client may send or hold. Each refusal is answered and counted.'),
  timeouts: listenerTimeouts.prefault({}).describe('How long a client may take.'),
  trustedProxies: list(range(), { what: 'address ranges', max: 1000 })
    .prefault([])
    .describe(
      'Address ranges of proxies in front of this one. Only their forwarding fields and PROXY protocol headers are believed; the client is the rightmost address that is not in this list.',
    ),
  proxyProtocol: oneOf(['off', 'required'])
    .prefault('off')
    .describe(
      '`required`: every connection begins with a PROXY protocol header (v1 or v2) from an address in `trustedProxies`; any other is closed.',
    ),
  strict: listenerStrict.prefault({}).describe('Rules that may be relaxed where old clients or servers need it.'),
  forwarding: forwarding
    .prefault({})
    .describe('Which fields about the client are added to a request. `Via` always is.'),
});

export type Listener = z.output<typeof listenerSchema>;
