/**
 * Under which name a remote store keeps the counters of a key: the limiter's name, the layout of its algorithm and the key. Names and
 * layouts hold no colon, so no two are the same.
 *
 * Keys come from clients. One that is long, or that not every engine can hold as text (PostgreSQL knows no NUL), stands
 * there as its SHA-256, so that nobody fills a server with names.
 */
import { createHash } from 'node:crypto';

import type { CountersKey } from './store.ts';

/** Longer than any user's id or address; an index entry of PostgreSQL may have 2,704 bytes. */
const KEY_LENGTH_MAX = 256;

function storable(key: string): string {
  if (key.length <= KEY_LENGTH_MAX && key.isWellFormed() && !key.includes('\0')) return key;
  return `sha256-${createHash('sha256').update(Buffer.from(key, 'utf16le')).digest('hex')}`;
}

/** `prefix`: what every key of a store begins with. */
export function remoteKey({ name, algorithm, key }: CountersKey, prefix = ''): string {
  return `${prefix}${name}:${algorithm.layout}:${storable(key)}`;
}
