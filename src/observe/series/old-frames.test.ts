/** Files as they were written before there were blocks: by a gateway that counted 350 seconds and was killed, 300 of them also coarsely. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { count, folderOf, opened, read, sum } from '../../../test/observe/series-folder.ts';
import { SimulatedClock } from '../../kernel/simulated-clock.ts';

const files = {
  '10s-1800000300000-000000.series':
    'H4sIAAAAAAACAzWSu2pUYRhFv/2fqAOSIGMUS4uAaYy1NuILmGoqC8F4AoGQwTmJpAiYud/v91vm1g0E0oU8RF5kKh8hnM33nWKvVfzMrJn/vBaR74/FMwi2Az9x4gc/E/GLs9+ByI6IHH1qehBEEv6fCz84D0Tei8iXj4sPcHgR+Efx8KiH0TB8Hr46CJ///16JyOH99RsAz079v/4pXPwYl5L1RH58e3vgcCXX600sKsn1JrYrKW6am+FmuTlunlvgFrklbplb4Va5NW6d2+A2uS1um9vhdrk9bp874A65I+6YO+FOuTfrTcyB5WA5WA6Wg+VgOVgOloPlYDlYDpaD5WA5WA6Wg+VgOVgOloPlYDlYDpaD5WA5WA6Wg+VgOVjuwnJgL+qSlP1dlzJJm2RMsiY5k7xJwaRoUjIpm1RMqiY1k7pJw6Rp0jJpm3RMuiY9k77JwGRoMjIZm0xMpiY3lC3nhX/Lc0S8pDKlTCszyqwyp8wrC8qisqQsKyvKqrKmrCsbyqaypWwrO8qusqfsKwfKoXKkHCsnyqky/OERuRORl59/3Tr3ji92VGZ8yefcBXfJXfG15xnwDHgGPAOeAc/wk8NvmCnnyoVyqVyxQG9gL+pmdidzk4XJ0mSl1/UEXVdixLYEAAA=',
  '5m-1800000300000-000001.series':
    'H4sIAAAAAAACAyWKsQ7BUBiFz/lv6TUQidhtJrFbeAJmk6GuRNK09KrYtKOYjHSy28VDWPsY4hHk1jed78vpAJi+TxHBpjXJ2thFEqfR0gItAMHwogjqxGxTY3cW6AEYDe59Cn1rgthdFW9Xx2ssRMX32AYwe2ZdkrXQ7E1IiVc8YALgPN/4Qo2s+EjpIS8+IvwLKxEn5KNRepJX0xPlWp1auaDxAyOmkc25AAAA',
};
const ENDED_MS = 1_800_000_350_000;

function oldFolder(): string {
  const folder = folderOf();
  for (const [name, text] of Object.entries(files)) {
    writeFileSync(join(folder, name), gunzipSync(Buffer.from(text, 'base64')));
  }
  return folder;
}

test('old files are read, and what comes is kept beside them', async () => {
  const [folder, clock] = [oldFolder(), new SimulatedClock(ENDED_MS)];
  const said: (string | null)[] = [];
  const first = await opened(folder, clock, said);
  assert.equal(sum(first.series, clock), 350);
  const toMs = clock.wallMs() + 1;
  const query = { fromMs: toMs - 600_000, toMs, stepMs: 10_000 };
  const [seconds, level] = ['seconds', 'level'].map((name) => first.series.range({ ...query, name }).rows[0]);
  assert.ok(seconds?.kind === 'histogram' && level?.kind === 'gauge');
  assert.equal(
    seconds.steps.reduce((all, step) => all + (step?.counts[0] ?? 0), 0),
    700,
  );
  assert.ok(level.max.includes(4));
  count(first.series, clock, 25);
  await first.files.close();
  const next = await opened(folder, clock, said);
  assert.equal(sum(next.series, clock), 375);
  clock.pass(40 * 3_600_000);
  assert.equal(sum(next.series, clock), 375, 'by coarse steps too');
  await next.files.close();
  assert.deepEqual(said, []);
});

test('an old file that is cut or damaged gives what is before it, and says so', async () => {
  const folder = oldFolder();
  const path = join(
    folder,
    readdirSync(folder).find((name) => name.startsWith('10s'))!,
  );
  const whole = readFileSync(path);
  const all: number[] = [];
  assert.deepEqual(read(whole, all), { places: 0, bytes: 0, isTorn: false });
  for (let at = 0; at < whole.length; at++) {
    const [cut, changed] = [new Array<number>(), new Array<number>()];
    const { places } = read(whole.subarray(0, at), cut);
    assert.deepEqual(cut, all.slice(0, cut.length));
    // Before its first frame is whole, nobody knows that it is one of those.
    assert.ok(places === 0 || at < 8 + whole.readUInt32LE(0), 'torn');
    const damaged = Buffer.from(whole);
    damaged[at]! ^= 0xff;
    const told = read(damaged, changed);
    assert.deepEqual(changed, all.slice(0, changed.length));
    assert.ok(told.bytes > 0);
  }
  const damaged = Buffer.from(whole);
  damaged[whole.length >> 1]! ^= 0xff;
  writeFileSync(path, damaged);
  const said: (string | null)[] = [];
  const { series, files: there } = await opened(folder, new SimulatedClock(ENDED_MS), said);
  assert.match(said[0]!, /10s-1800000300000-000000\.series is damaged in a place, \d+ of 1206 bytes/);
  assert.equal(there.state.damagedFiles, 1);
  assert.ok(there.state.damagedBytes > 500);
  assert.ok(sum(series, new SimulatedClock(ENDED_MS)) > 100);
  await there.close();
});
