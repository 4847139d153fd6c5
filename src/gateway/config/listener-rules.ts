/** Rules about one listener and what stands beside it. */
import { formatSize } from '../../kernel/units.ts';
import type { Listener } from './listener-schema.ts';
import type { MistakeList, Path } from '../../reading/mistakes.ts';
import type { Parts } from './parts.ts';
import type { RuleContext } from './rule-context.ts';
import { certificateNames, checkCertificates, checkKey } from './pem.ts';
import { isUnspecified } from './address.ts';

export function checkListener(
  listener: Listener,
  index: number,
  parts: Parts,
  list: MistakeList,
  context: RuleContext,
): void {
  const path: Path = ['listeners', index];
  checkAddress(listener, index, parts, list);
  const { requestLine, header } = listener.limits;
  if (requestLine > header) {
    const message = 'a request line may be longer than the whole head';
    const expected = `requestLine (${formatSize(requestLine)}) at most header (${formatSize(header)})`;
    list.error([...path, 'limits', 'requestLine'], { message, expected });
  }
  const { connections, connectionsPerIp } = listener.limits;
  if (connectionsPerIp > connections) {
    const message = 'one client address may have more connections than the listener';
    const expected = `connectionsPerIp (${connectionsPerIp}) at most connections (${connections})`;
    // Only a limit that was lowered below the other's default: it still does what it says.
    list.warning([...path, 'limits', 'connections'], { message, expected });
  }
  checkTrust(listener, path, list);
  if (listener.tls !== undefined) checkTls(listener.tls, [...path, 'tls'], list, context);
}

function checkAddress({ address }: Listener, index: number, { listeners }: Parts, list: MistakeList): void {
  const path: Path = ['listeners', index, 'address'];
  if (address.port === 0) return;
  for (const [other, { value }] of listeners.slice(0, index).entries()) {
    if (value === null || value.address.port !== address.port) continue;
    const hosts = [value.address.host, address.host];
    if (hosts[0] === hosts[1]) {
      const message = `listeners[${index}] has the same address as listeners[${other}]`;
      list.error(path, { message, found: address.text, expected: 'an address of its own' });
    } else if (hosts.some(isUnspecified)) {
      const message = `listeners[${index}] and listeners[${other}] share a port, and one of them is for every address`;
      list.warning(path, {
        message,
        found: `${value.address.text} and ${address.text}`,
        expected: 'two ports, or one listener',
      });
    }
  }
}

function checkTrust({ trustedProxies, proxyProtocol }: Listener, path: Path, list: MistakeList): void {
  for (const [index, range] of trustedProxies.entries()) {
    if (!range.endsWith('/0')) continue;
    const message = 'everyone is trusted to say who the client is, so any client can pretend to be another';
    list.warning([...path, 'trustedProxies', index], {
      message,
      found: range,
      expected: 'the ranges of your own proxies',
    });
  }
  if (proxyProtocol === 'required' && trustedProxies.length === 0) {
    const message =
      'the PROXY protocol is believed from trusted proxies only, and there are none: every connection would be closed';
    list.error([...path, 'proxyProtocol'], {
      message,
      found: 'required',
      expected: 'the addresses of the proxies in trustedProxies',
    });
  }
}

interface Pair {
  readonly certificate: string;
  readonly key: string;
  readonly path: Path;
}

function checkTls(tls: NonNullable<Listener['tls']>, path: Path, list: MistakeList, context: RuleContext): void {
  const { certificate, key, certificates = [], clientCa } = tls;
  const pairs: Pair[] = certificates.map((pair, index) => ({ ...pair, path: [...path, 'certificates', index] }));
  if (certificate !== undefined && key !== undefined) pairs.unshift({ certificate, key, path });
  else if (certificate !== undefined)
    list.error(path, { message: 'tls has a certificate and no key', expected: 'key' });
  else if (key !== undefined)
    list.error(path, { message: 'tls has a key and no certificate', expected: 'certificate' });
  else if (pairs.length === 0) {
    list.error(path, { message: 'tls has no certificate', expected: 'certificate and key, or certificates' });
  }
  for (const pair of pairs) checkPair(pair, list, context);
  if (pairs.length > 1) warnNameless(pairs, list, context);
  if (clientCa === undefined) return;
  checkCertificates(context.files, clientCa, context.nowMs, (severity, finding) =>
    list[severity]([...path, 'clientCa'], finding),
  );
}

function checkPair({ certificate, key, path }: Pair, list: MistakeList, { files, nowMs }: RuleContext): void {
  const usable = checkCertificates(files, certificate, nowMs, (severity, finding) =>
    list[severity]([...path, 'certificate'], finding),
  );
  checkKey(files, key, usable ? certificate : null, (severity, finding) => list[severity]([...path, 'key'], finding));
}

/** A certificate without names, after the first, can never be chosen. */
function warnNameless(pairs: readonly Pair[], list: MistakeList, { files }: RuleContext): void {
  for (const { certificate, path } of pairs.slice(1)) {
    const file = files.read(certificate);
    if (!file.ok || !file.text.includes('BEGIN CERTIFICATE') || certificateNames(file.text).length > 0) continue;
    const message = 'this certificate names no server, so no client can be given it';
    list.warning([...path, 'certificate'], { message, expected: 'a certificate with DNS names (subjectAltName)' });
  }
}
