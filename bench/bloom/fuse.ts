/** A large fuse filter, built by way of a folder on disk as one too large for memory is. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FuseFilterBuilder } from 'spillway/bloom';
import { keyStream } from './key-stream.ts';
import { cpuNs } from '../cpu-time.ts';

export function fusePart(count: number): void {
  const folder = mkdtempSync(join(tmpdir(), 'spillway-fuse-'));
  try {
    const before = cpuNs();
    using builder = new FuseFilterBuilder({ folder });
    for (const keys of keyStream(0, count)) for (const key of keys) builder.add(key);
    const hashed = cpuNs();
    const filter = builder.build();
    const built = cpuNs();
    let [lost, wrong] = [0, 0];
    for (const keys of keyStream(0, count)) for (const found of filter.hasMany(keys)) lost += 1 - found;
    const asked = cpuNs();
    for (const keys of keyStream(count, 2 * count)) for (const found of filter.hasMany(keys)) wrong += found;
    const lines = {
      keys: count.toLocaleString('en'),
      bytes: `${filter.memory.byteLength.toLocaleString('en')} (${((8 * filter.memory.byteLength) / count).toFixed(3)} bits a key)`,
      'of the keys not found': lost,
      'false-positive rate measured': `${((100 * wrong) / count).toFixed(4)} %, of as many absent keys`,
      'CPU time of taking a key': `${((hashed - before) / count).toFixed(0)} ns, making it and writing its hash included`,
      'CPU time of building, a key': `${((built - hashed) / count).toFixed(0)} ns; ${((built - before) / 1e9).toFixed(1)} s for all of it`,
      'CPU time of a key in hasMany': `${((asked - built) / count).toFixed(0)} ns, making it included`,
      'most memory of the process': `${(process.resourceUsage().maxRSS / 1024 ** 2).toFixed(3)} GiB`,
    };
    for (const [what, value] of Object.entries(lines)) process.stdout.write(`${what.padEnd(36)} ${value}\n`);
    if (lost > 0) process.exitCode = 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
