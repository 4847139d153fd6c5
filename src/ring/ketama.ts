/**
 * The rings of memcached's clients and of nginx, point for point: who moves from them keeps each key where it is.
 *
 *   libmemcached   weighted ketama (MEMCACHED_BEHAVIOR_KETAMA_WEIGHTED), the continuum of libketama: MD5 of "host:port-i" is
 *                  four points, some 160 a node, weights as shares in 32-bit floating point; the port 11211 is left out
 *   libmemcached-unweighted
 *                  MEMCACHED_BEHAVIOR_KETAMA: Jenkins' one-at-a-time hash of "host:port-i", 100 points a node
 *   hashring       npm's: weighted ketama but for weights in 64 bits, and the port always as given
 *   nginx          `hash … consistent`: a chain of CRC-32 over host, port and the point before; 160 points a unit of weight
 *
 * Sources: libmemcached 1.1 (update_continuum), hashring 3.2 (continuum), ngx_http_upstream_hash_module.c; ketama.test.ts asks
 * all of them. The one difference: where two nodes have the same point, they are told apart by name here, not by the
 * order in which a sort happened to leave them.
 *
 * In weighted ketama a node's points depend on all weights: changing one weight moves keys between others too, and a small one
 * may come to nothing; hashring rounds 40 digests down to 39 where there are 7 nodes. That is what they do, and why the ring of
 * its own is better once moved.
 */
import { invalid } from '../kernel/options.ts';
import { hash as digest } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { checkKey, keyView, type KeyText, layKey } from '../kernel/key-bytes.ts';
import type { CheckedNode } from './node.ts';
import { packPoint } from './points.ts';
import { checkPointCount } from './ring-table.ts';

export type KetamaClient = 'libmemcached' | 'libmemcached-unweighted' | 'hashring' | 'nginx';

interface Client {
  /** The points of nodes that come in the order of their names. */
  readonly pack: (nodes: readonly CheckedNode[]) => Float64Array;
  /** The position of a key. */
  readonly hash: (key: KeyText) => number;
}

const POINTS = 160;
const POINTS_UNWEIGHTED = 100;
const POINTS_PER_DIGEST = 4;
const MEMCACHED_PORT = /:11211$/;

const withoutMemcachedPort = (name: string): string => name.replace(MEMCACHED_PORT, '');

/** Refuses weights that the client cannot be given. */
function checkWeights(client: KetamaClient, nodes: readonly CheckedNode[], max = Number.POSITIVE_INFINITY): void {
  const other = nodes.find(({ weight }) => !Number.isInteger(weight) || weight > max);
  if (other === undefined) return;
  const expected = max === 1 ? 'knows no weights' : 'has whole weights';
  throw invalid(`The weight of “${other.name}” is ${other.weight}; ${client} ${expected}.`);
}

/** Refuses two names of one server that may have keys: they have the same points, so that one gets none and a copy lies where the original is. */
function checkServers(client: KetamaClient, nodes: readonly CheckedNode[], serverOf: (name: string) => string): void {
  const names = new Map<string, string>();
  for (const { name, weight } of nodes) {
    if (weight === 0) continue;
    const server = serverOf(name);
    const other = names.get(server);
    if (other !== undefined) throw invalid(`“${other}” and “${name}” are one server to ${client}; name it once.`);
    names.set(server, name);
  }
}

function digestMd5(key: KeyText): Buffer {
  return digest('md5', key, 'buffer');
}

/** Weighted ketama: `digestsOf` says how many digests a node of some weight gets, `hostOf` how its name is written. */
function packDigests(
  nodes: readonly CheckedNode[],
  digestsOf: (weight: number, sum: number, count: number) => number,
  hostOf: (name: string) => string,
): Float64Array {
  const weighing = [...nodes.entries()].filter(([, { weight }]) => weight > 0);
  const sum = weighing.reduce((total, [, { weight }]) => total + weight, 0);
  checkPointCount(weighing.length * POINTS);
  const packed: number[] = [];
  for (const [rank, { name, weight }] of weighing) {
    const host = hostOf(name);
    const digests = digestsOf(weight, sum, weighing.length);
    for (let index = 0; index < digests; index++) {
      const bytes = digestMd5(`${host}-${index}`);
      for (let part = 0; part < POINTS_PER_DIGEST; part++) packed.push(packPoint(bytes.readUInt32LE(part * 4), rank));
    }
  }
  return Float64Array.from(packed);
}

/** Each step is rounded to 32 bits, as a `float` is. */
function libmemcachedDigests(weight: number, sum: number, count: number): number {
  const share = Math.fround(Math.fround(weight) / Math.fround(sum));
  const digests = Math.fround(Math.fround(Math.fround(share * POINTS) / POINTS_PER_DIGEST) * count);
  return Math.floor(Math.fround(digests + 1e-10));
}

function hashringDigests(weight: number, sum: number, count: number): number {
  return Math.floor((weight / sum) * (POINTS / POINTS_PER_DIGEST) * count);
}

/** Bob Jenkins' one-at-a-time hash, libmemcached's default. Its bytes are C's `char`, which has a sign on x86. */
function oneAtATime(key: KeyText): number {
  const length = layKey(key);
  const view = keyView();
  let word = 0;
  for (let at = 0; at < length; at++) {
    word = (word + view.getInt8(at)) | 0;
    word = (word + (word << 10)) | 0;
    word ^= word >>> 6;
  }
  word = (word + (word << 3)) | 0;
  word ^= word >>> 11;
  return (word + (word << 15)) | 0;
}

function packUnweighted(nodes: readonly CheckedNode[]): Float64Array {
  checkWeights('libmemcached-unweighted', nodes, 1);
  checkServers('libmemcached-unweighted', nodes, withoutMemcachedPort);
  checkPointCount(nodes.length * POINTS_UNWEIGHTED);
  const packed: number[] = [];
  for (const [rank, { name, weight }] of nodes.entries()) {
    const host = withoutMemcachedPort(name);
    for (let index = 0; index < weight * POINTS_UNWEIGHTED; index++) {
      packed.push(packPoint(oneAtATime(`${host}-${index}`), rank));
    }
  }
  return Float64Array.from(packed);
}

/** Host and port as nginx takes a server's name apart: of a Unix socket the path is the host. */
function serverParts(name: string): readonly [host: string, port: string] {
  if (/^unix:/i.test(name)) return [name.slice(5), ''];
  const [, host = name, port = ''] = /^(.*):(\d*)$/s.exec(name) ?? [];
  return [host, port];
}

const serverPoints = (name: string): string => serverParts(name).join('\0');

function packCrcChain(nodes: readonly CheckedNode[]): Float64Array {
  checkWeights('nginx', nodes);
  checkServers('nginx', nodes, serverPoints);
  checkPointCount(nodes.reduce((sum, { weight }) => sum + weight * POINTS, 0));
  const packed: number[] = [];
  const before = Buffer.alloc(4);
  for (const [rank, { name, weight }] of nodes.entries()) {
    const base = crc32(serverPoints(name));
    before.fill(0);
    for (let index = 0; index < weight * POINTS; index++) {
      const point = crc32(before, base);
      packed.push(packPoint(point, rank));
      before.writeUInt32LE(point);
    }
  }
  return Float64Array.from(packed);
}

const hashMd5 = (key: KeyText): number => digestMd5(checkKey(key)).readInt32LE(0);

export const ketama: Readonly<Record<KetamaClient, Client>> = {
  libmemcached: {
    pack(nodes) {
      checkWeights('libmemcached', nodes);
      checkServers('libmemcached', nodes, withoutMemcachedPort);
      return packDigests(nodes, libmemcachedDigests, withoutMemcachedPort);
    },
    hash: hashMd5,
  },
  'libmemcached-unweighted': { pack: packUnweighted, hash: oneAtATime },
  hashring: { pack: (nodes) => packDigests(nodes, hashringDigests, (name) => name), hash: hashMd5 },
  nginx: { pack: packCrcChain, hash: (key) => crc32(checkKey(key)) | 0 },
};
