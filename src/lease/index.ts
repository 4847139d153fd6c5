/** `spillway/lease`: where locks and leaders keep their leases. What to do with them is in `spillway/lock` and `spillway/elect`. */
export { EtcdClient } from '../drivers/etcd/client.ts';
export type { EtcdOptions } from '../drivers/etcd/options.ts';
export { etcdLeases, type EtcdLeasesOptions } from './etcd.ts';
export type { Fenced, FencedRegister } from './fenced.ts';
export type { Instant } from './instant.ts';
export type { Lease } from './lease.ts';
export { memoryLeases, type MemoryLeasesOptions } from './memory.ts';
export { postgresLeases, type PostgresLeases, type PostgresLeasesOptions } from './postgres.ts';
export { type RedlockClient, redlockLeases, type RedlockLeasesOptions } from './redlock.ts';
export { redisLeases, type RedisLeasesClient, type RedisLeasesOptions, type RedisReplicas } from './redis.ts';
export { fileRegister } from './registers/file.ts';
export { memoryRegister } from './registers/memory.ts';
export { type PostgresRegister, postgresRegister } from './registers/postgres.ts';
export { redisRegister } from './registers/redis.ts';
export { sqliteRegister } from './registers/sqlite.ts';
export { sqliteLeases, type SqliteLeasesOptions } from './sqlite.ts';
export type {
  Answer,
  Busy,
  Claim,
  Granted,
  Holding,
  LeaseStore,
  LeaseStoreLimits,
  Renewal,
  Unwatch,
  Waiting,
} from './store.ts';
export { zookeeperLeases, type ZookeeperLeasesOptions } from './zookeeper.ts';
