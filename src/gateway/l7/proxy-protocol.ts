/**
 * The PROXY protocol, versions 1 and 2: what a load balancer in front says of the connection before its first byte.
 *
 * Invariants: nothing is believed that is not exactly in form; a header is at most `PROXY_BYTES_MAX` bytes, type-length-value
 * extensions included, which are skipped; the same verdict for any fragmentation.
 * Source: haproxy.org, "The PROXY protocol, versions 1 & 2" (2020/03/05), §2.1 and §2.2.
 */
import { addressFrom } from '../../kernel/ip-address.ts';
import { equalBytes, ascii } from '../../kernel/bytes.ts';

/** Version 1 has at most 107 bytes; version 2 has 16, at most 36 of addresses, and extensions, of which a few hundred are usual. */
export const PROXY_BYTES_MAX = 4096;
const V1_BYTES_MAX = 107;
const V1 = ascii('PROXY ');
const V2 = Uint8Array.of(0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a);
const V2_HEAD_BYTES = 16;

export type ProxyHeader =
  | { readonly kind: 'more' }
  | { readonly kind: 'bad'; readonly problem: string }
  /** `end`: the first byte behind the header. `address` is null where the sender names none: use the connection's own. */
  | { readonly kind: 'done'; readonly end: number; readonly address: string | null; readonly port: number };

const MORE: ProxyHeader = { kind: 'more' };

function bad(problem: string): ProxyHeader {
  return { kind: 'bad', problem };
}

/** Reads the header at the beginning of `bytes`, which holds all that has arrived. */
export function readProxyHeader(bytes: Uint8Array): ProxyHeader {
  if (startsLike(bytes, V2)) return bytes.length < V2_HEAD_BYTES ? MORE : readV2(bytes);
  if (startsLike(bytes, V1)) return readV1(bytes);
  return bad('no PROXY protocol header');
}

/** True if `bytes` begins with `signature`, as far as it goes. */
function startsLike(bytes: Uint8Array, signature: Uint8Array): boolean {
  const length = Math.min(bytes.length, signature.length);
  return equalBytes(bytes, 0, length, signature.subarray(0, length));
}

function readV1(bytes: Uint8Array): ProxyHeader {
  const lf = bytes.subarray(0, V1_BYTES_MAX).indexOf(10);
  if (lf < 0) return bytes.length < V1_BYTES_MAX ? MORE : bad('a version 1 header longer than 107 bytes');
  const line = Buffer.from(bytes.subarray(0, lf + 1)).toString('latin1');
  if (/^PROXY UNKNOWN(?: [\x20-\x7e]*)?\r\n$/.test(line)) return { kind: 'done', end: lf + 1, address: null, port: 0 };
  const parts = /^PROXY (TCP[46]) ([0-9a-fA-F:.]+) ([0-9a-fA-F:.]+) (\d{1,5}) (\d{1,5})\r\n$/.exec(line);
  const [, family, source = '', destination = '', sourcePort = '', destinationPort = ''] = parts ?? [];
  if (parts === null || !isWritten(source, family) || !isWritten(destination, family))
    return bad('a malformed version 1 header');
  if (!isPort(sourcePort) || !isPort(destinationPort)) return bad('a malformed port in a version 1 header');
  return { kind: 'done', end: lf + 1, address: source, port: Number(sourcePort) };
}

/** By how it is written: a balancer on a socket for both families sends TCP6 with `::ffff:192.0.2.1`. */
function isWritten(address: string, family: string | undefined): boolean {
  return address.includes(':') === (family === 'TCP6') && addressFrom(address) !== null;
}

function isPort(text: string): boolean {
  return Number(text) <= 65535 && (text === '0' || !text.startsWith('0'));
}

function readV2(bytes: Uint8Array): ProxyHeader {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const versionAndCommand = view.getUint8(12);
  const familyAndProtocol = view.getUint8(13);
  const length = view.getUint16(14);
  const end = V2_HEAD_BYTES + length;
  const command = versionAndCommand & 15;
  if (versionAndCommand >> 4 !== 2 || command > 1) return bad('an unknown version or command in a version 2 header');
  if (end > PROXY_BYTES_MAX) return bad(`a version 2 header of ${end} bytes`);
  if (bytes.length < end) return MORE;
  // LOCAL: the balancer speaks for itself, a health check for one.
  if (command === 0 || familyAndProtocol === 0) return { kind: 'done', end, address: null, port: 0 };
  if (familyAndProtocol === 0x11 && length >= 12) {
    const address = [16, 17, 18, 19].map((at) => view.getUint8(at)).join('.');
    return { kind: 'done', end, address, port: view.getUint16(24) };
  }
  if (familyAndProtocol === 0x21 && length >= 36) {
    const words = [0, 2, 4, 6, 8, 10, 12, 14].map((at) => view.getUint16(V2_HEAD_BYTES + at).toString(16));
    return { kind: 'done', end, address: words.join(':'), port: view.getUint16(48) };
  }
  return bad('an address family other than TCP over IPv4 or IPv6 in a version 2 header');
}
