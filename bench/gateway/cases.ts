/** What is measured, and what we want of it: the table that docs/benchmarks.md explains in words. */
import type { Ability } from './contender.ts';
import type { HandshakeLoad } from './load/handshakes.ts';
import type { ClosedLoad } from './load/wrk.ts';

/** Requests due at a fixed rate, a share of what the reference reached in a closed loop. */
export interface ScheduledLoad {
  readonly kind: 'scheduled';
  readonly share: number;
  readonly connections: number;
}

export interface IdleLoad {
  readonly kind: 'idle';
  readonly connections: number;
  /** What clients offer for the key exchange of TLS, in OpenSSL's words: some keys are larger than all the rest of a connection. */
  readonly groups?: string;
}

export interface WebSocketLoad {
  readonly kind: 'websocket';
  readonly connections: number;
}

export type Load = ClosedLoad | HandshakeLoad | ScheduledLoad | IdleLoad | WebSocketLoad;

/** What the ratio is about: CPU time per unit, the 99th percentile, or memory per connection. */
export type Metric = 'cpu' | 'p99' | 'memory';

export interface Case {
  readonly name: string;
  readonly title: string;
  readonly metric: Metric;
  readonly unit: 'request' | 'MB' | 'handshake' | 'round trip' | 'connection';
  readonly tls: boolean;
  readonly everythingOn: boolean;
  readonly needs: readonly Ability[];
  readonly load: Load;
  /** Who runs in it, the reference last, where it is not about the peers. */
  readonly only?: readonly [contender: string, reference: string];
  /** Wanted of Spillway, at most: a ratio to the reference, or bytes per connection. */
  readonly goal?: { readonly ratio?: number; readonly bytes?: number };
}

const small = { kind: 'closed', path: '/' } as const;

/** Twenty fields with Host, as a current browser sends them to a site it has a session with. */
const browserHeaders = {
  Host: 'shop.example',
  Connection: 'keep-alive',
  'Cache-Control': 'max-age=0',
  'sec-ch-ua': '"Chromium";v="140", "Not=A?Brand";v="24", "Google Chrome";v="140"',
  'sec-ch-ua-mobile': '?0',
  'sec-ch-ua-platform': '"Linux"',
  DNT: '1',
  'Upgrade-Insecure-Requests': '1',
  'User-Agent': 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36',
  Accept: 'text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8',
  'Sec-Fetch-Site': 'same-origin',
  'Sec-Fetch-Mode': 'navigate',
  'Sec-Fetch-User': '?1',
  'Sec-Fetch-Dest': 'document',
  Referer: 'https://shop.example/articles/list?page=2',
  'Accept-Encoding': 'gzip, deflate, br, zstd',
  'Accept-Language': 'en-GB,en;q=0.9,de;q=0.8',
  Cookie: 'session=7f3b0c9a5d1e4826b0f1c2d3e4a5b6c7; theme=dark; consent=yes',
  'If-None-Match': '"5f3c-61a8"',
  Priority: 'u=0, i',
};

function plain(name: string, title: string, load: Load, more: Partial<Case> = {}): Case {
  return { name, title, metric: 'cpu', unit: 'request', tls: false, everythingOn: false, needs: [], load, ...more };
}

export const cases: readonly Case[] = [
  plain(
    'small-64',
    'small response, keep-alive, 64 connections',
    { ...small, connections: 64 },
    { goal: { ratio: 1.1 } },
  ),
  plain(
    'small-512',
    'small response, keep-alive, 512 connections',
    { ...small, connections: 512 },
    { goal: { ratio: 1.1 } },
  ),
  plain(
    'browser',
    'browser-like request (20 fields), 64 connections',
    { ...small, connections: 64, headers: browserHeaders },
    { goal: { ratio: 1.1 } },
  ),
  plain('body-10k', '10 KB response, 64 connections', { ...small, connections: 64, path: '/10k' }),
  plain(
    'body-1m',
    '1 MB response, 32 connections',
    { ...small, connections: 32, path: '/1m' },
    { unit: 'MB', goal: { ratio: 1.25 } },
  ),
  plain(
    'post-4k',
    'POST of 4 KB, 64 connections',
    { ...small, connections: 64, bodyBytes: 4096 },
    { goal: { ratio: 1.1 } },
  ),
  plain(
    'connections',
    'a new connection for each request',
    { ...small, connections: 64, headers: { Connection: 'close' } },
    { goal: { ratio: 1.3 } },
  ),
  plain(
    'tls',
    'small response over TLS, keep-alive, 64 connections',
    { ...small, connections: 64 },
    { tls: true, needs: ['tls'], goal: { ratio: 1.1 } },
  ),
  plain(
    'tls-handshakes',
    'full TLS handshake and one request',
    { kind: 'handshake', resume: false, clients: 8 },
    { unit: 'handshake', tls: true, needs: ['tls'] },
  ),
  plain(
    'tls-resumptions',
    'resumed TLS handshake and one request',
    { kind: 'handshake', resume: true, clients: 8 },
    { unit: 'handshake', tls: true, needs: ['tls'] },
  ),
  plain(
    'everything',
    'small response; access log, metrics, health checks on',
    { ...small, connections: 64 },
    { everythingOn: true, needs: ['everything-on'], goal: { ratio: 1.15 } },
  ),
  plain(
    'policy',
    'two-choices, 100 routes and passive health; ratio to Spillway without',
    { ...small, connections: 64 },
    { only: ['spillway-policy', 'spillway-plain'], goal: { ratio: 1.03 } },
  ),
  plain(
    'limit',
    'a limit for each client; ratio to Spillway without',
    { ...small, connections: 64 },
    { only: ['spillway-limited', 'spillway-plain'], goal: { ratio: 1.03 } },
  ),
  plain(
    'websocket',
    'WebSocket echo, 100 bytes, 64 connections',
    { kind: 'websocket', connections: 64 },
    { unit: 'round trip', needs: ['websocket'] },
  ),
  plain(
    'p99',
    'latency at half of the peak rate, fixed schedule',
    { kind: 'scheduled', share: 0.5, connections: 256 },
    { metric: 'p99', goal: { ratio: 1.5 } },
  ),
  plain(
    'idle',
    '10,000 idle connections',
    { kind: 'idle', connections: 10_000 },
    { metric: 'memory', unit: 'connection', goal: { bytes: 4096 } },
  ),
  plain(
    'idle-tls',
    '10,000 idle TLS connections',
    { kind: 'idle', connections: 10_000, groups: 'X25519' },
    { metric: 'memory', unit: 'connection', tls: true, needs: ['tls'], goal: { bytes: 40_960 } },
  ),
  plain(
    'idle-tls-hybrid',
    '10,000 idle TLS connections, post-quantum key exchange where it is spoken',
    { kind: 'idle', connections: 10_000, groups: 'X25519MLKEM768:X25519' },
    { metric: 'memory', unit: 'connection', tls: true, needs: ['tls'] },
  ),
];
