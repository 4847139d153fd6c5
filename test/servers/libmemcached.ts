/**
 * libmemcached itself, asked where keys lie: the library has no command for that, so Python calls it (`memcached_generate_hash`).
 * No server need run, for where a key lies follows from the list.
 */
import { spawnSync } from 'node:child_process';
import { serverPath } from '../../scripts/servers.ts';

export interface MemcachedHost {
  readonly host: string;
  readonly port: number;
  /** From 1; heeded by weighted ketama only. */
  readonly weight: number;
}

/** `MEMCACHED_BEHAVIOR_…`, as libmemcached-1.0/types/behavior.h numbers them. */
const behaviors = { KETAMA: 3, KETAMA_WEIGHTED: 16 } as const;

export interface MemcachedCase {
  readonly hosts: readonly MemcachedHost[];
  readonly keys: readonly string[];
}

const program = `
import ctypes, json, sys
lib = ctypes.CDLL('libmemcached.so.11')
lib.memcached_create.restype = ctypes.c_void_p

def places(behavior, hosts, keys):
    memc = ctypes.c_void_p(lib.memcached_create(None))
    assert lib.memcached_behavior_set(memc, behavior, ctypes.c_uint64(1)) == 0
    for each in hosts:
        host = each['host'].encode()
        assert lib.memcached_server_add_with_weight(memc, host, ctypes.c_uint16(each['port']), each['weight']) == 0
    return [lib.memcached_generate_hash(memc, key, ctypes.c_size_t(len(key))) for key in map(str.encode, keys)]

given = json.load(sys.stdin)
json.dump([places(given['behavior'], each['hosts'], each['keys']) for each in given['cases']], sys.stdout)
`;

/** For each case the index of each key's host. */
export function libmemcachedPlaces(behavior: keyof typeof behaviors, cases: readonly MemcachedCase[]): number[][] {
  const input = JSON.stringify({ behavior: behaviors[behavior], cases });
  const { status, stdout, stderr } = spawnSync(serverPath('libmemcached'), ['-c', program], {
    input,
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`libmemcached did not say where keys lie:\n${stderr}`);
  return JSON.parse(stdout) as number[][];
}
