/**
 * Whose process is at the other end of a TCP connection to this machine: for whoever is about to show a token there. Who listens on the
 * port now says nothing of it: the port may have changed hands since the connection was made, and may before the next one is.
 *
 * Linux only, read from /proc/net/tcp, in which a connection within the machine stands twice, once from each end. The end that was
 * accepted has the user who did it; one that waits to be accepted has no inode, and is nobody's yet. Source: proc_net_tcp of the kernel's docs.
 */
import { readFileSync } from 'node:fs';
import { isIPv4, type Socket } from 'node:net';
import { endianness } from 'node:os';

/** Of a socket, as seen from here. */
export type Ends = {
  readonly [End in 'localAddress' | 'localPort' | 'remoteAddress' | 'remotePort']?: Socket[End] | undefined;
};

const ESTABLISHED = '01';

/** `untold` where the system tells nobody; `unseen` if it is not there, half closed, or not accepted yet. */
export function acceptedBy(ends: Ends): number | 'unseen' | 'untold' {
  if (process.platform !== 'linux') return 'untold';
  const here = endOf(ends.localAddress, ends.localPort);
  const there = endOf(ends.remoteAddress, ends.remotePort);
  for (const file of ['/proc/net/tcp', '/proc/net/tcp6']) {
    for (const line of read(file).split('\n')) {
      const [, local = '', remote = '', state, , , , user, , inode] = line.trim().split(/\s+/);
      if (!there.has(local) || !here.has(remote) || state !== ESTABLISHED || inode === '0') continue;
      return Number(user);
    }
  }
  return 'unseen';
}

/** An end as the kernel writes it: 32-bit words in the machine's order, an IPv4 one also as IPv6. */
function endOf(address = '', port = 0): Set<string> {
  const v4 = address.replace(/^::ffff:/i, '');
  const bytes = isIPv4(v4)
    ? [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, ...v4.split('.').map(Number)]
    : bytesOf(address);
  const words = Array.from({ length: 4 }, (_, word) => {
    const four = bytes.slice(4 * word, 4 * word + 4);
    return Buffer.from(endianness() === 'LE' ? four.toReversed() : four).toString('hex');
  });
  const forms = isIPv4(v4) ? [words[3]!, words.join('')] : [words.join('')];
  return new Set(forms.map((form) => `${form}:${port.toString(16).padStart(4, '0')}`.toUpperCase()));
}

/** Of an IPv6 address in any spelling without IPv4 in it. */
function bytesOf(address: string): number[] {
  const [before = '', after = ''] = address.replace(/%.*$/, '').split('::');
  const [left, right] = [before, after].map((side) => (side === '' ? [] : side.split(':')));
  const zeros = Array.from({ length: 8 - left!.length - right!.length }, () => '0');
  return [...left!, ...zeros, ...right!].flatMap((group) => {
    const value = Number.parseInt(group, 16);
    return [value >> 8, value & 0xff];
  });
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    // As in a sandbox: nothing is seen.
    return '';
  }
}
