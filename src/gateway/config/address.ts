/**
 * Addresses as they stand in a config: `host:port`, and CIDR ranges. Pure.
 *
 * Strict where leniency has been used to smuggle an address past a check: a host whose last label is a number must be a
 * dotted IPv4 address of four decimal parts, so `2852039166`, `0x7f.1` and `127.1` are refused (WHATWG URL reads them as
 * addresses, some resolvers do too).
 */
import { BlockList, isIP, isIPv4, isIPv6 } from 'node:net';

export interface Address {
  /** Without brackets; `0.0.0.0` when only a port was given. */
  readonly host: string;
  readonly port: number;
  /** `host:port`, with brackets around an IPv6 address. */
  readonly text: string;
}

export interface Refused {
  readonly ok: false;
  /** Null: say the usual. */
  readonly expected: string | null;
  readonly suggestion: string | null;
}

export type ParsedAddress = { readonly ok: true; readonly address: Address } | Refused;

function refused(expected: string | null, suggestion: string | null = null): Refused {
  return { ok: false, expected, suggestion };
}

/** RFC 1123 host name, underscores allowed as resolvers do (container names have them). */
const hostName = /^(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*$/;

/** True if `host` is an IP address or a host name that no resolver reads as a number. */
function isHost(host: string): boolean {
  if (isIP(host) !== 0) return !host.includes('%');
  const lastLabel = host.slice(host.lastIndexOf('.') + 1);
  return hostName.test(host) && !/^(\d+|0x[0-9a-f]*)$/.test(lastLabel);
}

/** `host:port` with brackets around an IPv6 address. */
export function joinAddress(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

export function parseAddress(text: string, use: 'listen' | 'connect'): ParsedAddress {
  const url = /^[a-z][a-z0-9+.-]*:\/\/([^/]+)/i.exec(text);
  if (url !== null) return refused('host:port without a scheme or path', url[1]);
  const colon = text.lastIndexOf(':');
  if (isIPv6(text)) return bareIPv6(text, colon);
  const portText = text.slice(colon + 1);
  if (colon < 0 || !/^\d{1,5}$/.test(portText) || Number(portText) > 65535) {
    if (/^\d{1,5}$/.test(text) && use === 'listen') return refused(null, `:${text}`);
    return refused(colon < 0 ? null : 'a port from 1 to 65535 after the last colon');
  }
  const port = Number(portText);
  if (port === 0 && use === 'connect') return refused('a port from 1 to 65535 after the last colon');
  let host = text.slice(0, colon).toLowerCase();
  if (host.startsWith('[') && host.endsWith(']')) {
    host = host.slice(1, -1);
    if (!isIPv6(host)) return refused('an IPv6 address between the brackets');
  } else if (isIPv6(host)) return unbracketed(host, port);
  if (host === '' || host === '*') {
    if (use === 'connect') return refused(null, `127.0.0.1:${port}`);
    // IPv4 only, so the same file does the same on a machine without IPv6; `[::]:8080` asks for both families.
    host = '0.0.0.0';
  }
  if (!isHost(host)) return refused('a host name or an IP address before the port');
  return { ok: true, address: { host, port, text: joinAddress(host, port) } };
}

/** `::1:8080` is an address as a whole, and meant as one with a port by whoever writes it. */
function bareIPv6(text: string, colon: number): Refused {
  const [host, last] = [text.slice(0, colon), text.slice(colon + 1)];
  return isIPv6(host) && /^\d{2,5}$/.test(last) ? unbracketed(host, Number(last)) : unbracketed(text, 80);
}

function unbracketed(host: string, port: number): Refused {
  // With the quotes that YAML needs: brackets begin a list there.
  return refused('an IPv6 address in brackets, with a port', `"${joinAddress(host, port)}"`);
}

export function parseRange(text: string): { readonly ok: true; readonly range: string } | Refused {
  const [address = '', bits, rest] = text.split('/');
  const family = isIP(address);
  if (family === 0 || address.includes('%') || rest !== undefined) return refused(null);
  const width = family === 4 ? 32 : 128;
  if (bits === undefined) return { ok: true, range: `${address}/${width}` };
  if (!/^\d{1,3}$/.test(bits) || Number(bits) > width)
    return refused(`a prefix length from 0 to ${width} after the slash`);
  const base = maskAddress(address, Number(bits));
  // Host bits set: `10.1.2.3/8` may mean 10.0.0.0/8 or 10.1.2.3 alone. Nobody should have to guess whom it trusts.
  if (base !== null && base !== address)
    return refused('a range whose bits after the prefix are zero', `${base}/${bits}`);
  return { ok: true, range: `${address.toLowerCase()}/${Number(bits)}` };
}

/** The first address of an IPv4 range; null for IPv6, whose many spellings are not compared. */
function maskAddress(address: string, bits: number): string | null {
  if (!isIPv4(address)) return null;
  const value = address.split('.').reduce((sum, part) => sum * 256 + Number(part), 0);
  const size = 2 ** (32 - bits);
  const base = Math.floor(value / size) * size;
  return [24, 16, 8, 0].map((shift) => Math.floor(base / 2 ** shift) % 256).join('.');
}

function ranges(...list: readonly (readonly [string, number, 'ipv4' | 'ipv6'])[]): BlockList {
  const block = new BlockList();
  for (const [base, bits, family] of list) block.addSubnet(base, bits, family);
  return block;
}

function within(block: BlockList, host: string): boolean {
  const family = isIP(host);
  return family !== 0 && block.check(host, family === 4 ? 'ipv4' : 'ipv6');
}

const loopback = ranges(['127.0.0.0', 8, 'ipv4'], ['::1', 128, 'ipv6']);
const unspecified = ranges(['0.0.0.0', 32, 'ipv4'], ['::', 128, 'ipv6']);

/** Only this machine can reach it. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || within(loopback, host);
}

/** `0.0.0.0` or `::`: every address of the machine. */
export function isUnspecified(host: string): boolean {
  return within(unspecified, host);
}

/** True if connecting to `target` may arrive at a socket that listens on `listener`. `own`: this machine's addresses. */
export function reaches(target: Address, listener: Address, own: readonly string[]): boolean {
  if (target.port !== listener.port || target.port === 0) return false;
  const name = (host: string) => (host === 'localhost' ? '127.0.0.1' : host.replace(/^::ffff:(?=\d+\.)/, ''));
  const host = name(target.host);
  if (host === name(listener.host)) return true;
  if (!isUnspecified(listener.host)) return target.host === 'localhost' && listener.host === '::1';
  if (listener.host === '0.0.0.0' && isIPv6(host)) return false;
  return isLoopback(host) || isUnspecified(host) || own.includes(host);
}
