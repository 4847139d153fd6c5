/** The ledger: append-only, corrected by further entries, and what is left of its file after crashes and full disks. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { createRandom } from '../../../kernel/random.ts';
import { SimulatedClock } from '../../../kernel/simulated-clock.ts';
import { formatEntry, type LedgerEntry, type LedgerFact, parseEntry } from './entry.ts';
import { Ledger } from './ledger.ts';
import { LedgerFile } from './ledger-file.ts';
import { readFact } from './read-fact.ts';
import { spendings } from './spendings.ts';

const folder = mkdtempSync(join(tmpdir(), 'spillway-ledger-'));
after(() => rmSync(folder, { recursive: true }));
let files = 0;
const newPath = (): string => join(folder, `sub-${(files += 1)}`, 'ledger.ndjson');

const clock = new SimulatedClock();
const open = (path: string | null): Promise<Ledger> => Ledger.open({ clock, random: createRandom(), path });

/** Of a process of its own, whose program begins with a ledger. */
const nodeArguments = ['--conditions=spillway-source', '--input-type=module', '-e'];
const opened = `
  import { Ledger } from '${new URL('./ledger.ts', import.meta.url).href}';
  import { systemClock } from '${new URL('../../../kernel/clock.ts', import.meta.url).href}';
  import { createRandom } from '${new URL('../../../kernel/random.ts', import.meta.url).href}';
  const ledger = await Ledger.open({ clock: systemClock, random: createRandom(), path: process.argv[1] });`;

const HOUR = 3_600_000;
const spent = (bad: number, fromMs = 0): LedgerFact => ({
  ...{ kind: 'spent', slo: 'shop-up', fromMs, toMs: fromMs + HOUR, good: 10, bad, burst: true },
});
const work = (fromMs: number, toMs: number, slo: string | null = null, corrects: string | null = null): LedgerFact => ({
  ...{ kind: 'maintenance', slo, fromMs, toMs, text: 'new disks', by: 'ana', corrects },
});

/** As if somebody had written so many that spent something. */
const manyLines = (count: number): string =>
  Array.from({ length: count }, (_, at) => formatEntry({ id: `many-${at}`, atMs: 0, ...spent(at) })).join('');

test('what was acknowledged is there for the next process, in its order', async () => {
  const path = newPath();
  const first = await open(path);
  await Promise.all([1, 2, 3, 4].map((bad) => first.add(spent(bad))));
  await first.close();
  const second = await open(path);
  assert.deepEqual(second.entries, first.entries);
  assert.deepEqual(
    second.entries.map((entry) => entry.kind === 'spent' && entry.bad),
    [1, 2, 3, 4],
  );
  assert.equal(new Set(second.entries.map(({ id }) => id)).size, 4);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  await second.close();
});

test('a correction is a further entry, and may be corrected itself', async () => {
  const ledger = await open(null);
  const wrong = await ledger.add(work(0, 10 * HOUR));
  assert.deepEqual(ledger.excluded('shop-up'), [{ fromMs: 0, toMs: 10 * HOUR }]);
  const better = await ledger.add(work(0, HOUR, 'shop-up', wrong.id));
  assert.deepEqual(ledger.excluded('shop-up'), [{ fromMs: 0, toMs: HOUR }]);
  assert.deepEqual(ledger.excluded('shop-quick'), []);
  assert.equal(ledger.excluded('shop-up'), ledger.excluded('shop-up'), 'nothing is computed again without need');
  const gone = await ledger.add({ kind: 'withdrawn', entry: better.id, text: 'it was not planned', by: 'ben' });
  assert.deepEqual(ledger.excluded('shop-up'), [{ fromMs: 0, toMs: 10 * HOUR }], 'the correction does not hold');
  await ledger.add({ kind: 'withdrawn', entry: wrong.id, text: 'nor was this', by: 'ben' });
  assert.deepEqual(ledger.excluded('shop-up'), []);
  await ledger.add({ kind: 'withdrawn', entry: gone.id, text: 'but it was', by: 'ana' });
  assert.deepEqual(ledger.excluded('shop-up'), [{ fromMs: 0, toMs: HOUR }]);
  assert.equal(ledger.entries.length, 5, 'all can still be read');
});

test('planned work that overlaps is one stretch', async () => {
  const ledger = await open(null);
  const planned = [work(5, 8, 'a'), work(1, 3), work(2, 4, 'a'), work(4, 5), work(20, 30, 'b'), work(10, 12, 'a')];
  for (const each of planned) await ledger.add(each);
  assert.deepEqual(ledger.excluded('a'), [
    { fromMs: 1, toMs: 8 },
    { fromMs: 10, toMs: 12 },
  ]);
});

test('wherever a crash cuts the file off, every whole line is read and the next entry is written well', async () => {
  const path = newPath();
  const ledger = await open(path);
  for (const each of [spent(1), work(0, HOUR), spent(2)]) await ledger.add(each);
  await ledger.close();
  const whole = readFileSync(path);
  for (const bytes of [0, 1, 40, 150, 200, whole.length - 1, whole.length]) {
    writeFileSync(path, whole);
    truncateSync(path, bytes);
    const lines = whole.subarray(0, bytes).toString().split('\n').length - 1;
    const reopened = await open(path);
    assert.deepEqual([reopened.entries.length, reopened.damaged], [lines, []], `${bytes} bytes`);
    await reopened.add(spent(9));
    await reopened.close();
    const again = await open(path);
    assert.deepEqual([again.entries.length, again.damaged], [lines + 1, []]);
    await again.close();
  }
});

test('a damaged line is skipped, told with its place, and never thrown away', async () => {
  const path = newPath();
  const ledger = await open(path);
  await ledger.add(spent(1));
  await ledger.close();
  const lines = ['{"kind":"spent"}', 'x', '{"kind":"theft","id":"a","atMs":1}', '[]', '\u0000'];
  appendFileSync(path, `${lines.join('\n')}\n`);
  const reopened = await open(path);
  assert.equal(reopened.entries.length, 1);
  assert.deepEqual(
    reopened.damaged.map((line) => line.slice(path.length)),
    [
      ...[':2: id is missing or is not what an entry has there', ':3: it is not JSON, or was cut off'],
      ...[':4: there is no kind "theft" of entry', ':5: it is not an entry', ':6: it is not JSON, or was cut off'],
    ],
  );
  await reopened.close();
  appendFileSync(path, manyLines(11_000));
  const full = await open(path);
  await full.add(spent(1));
  await full.close();
  assert.match(readFileSync(path, 'utf8'), /\{"kind":"theft"/);
});

test('it is bounded: what spent goes before what somebody said', async () => {
  const path = newPath();
  let ledger = await open(path);
  await ledger.add(work(0, HOUR));
  await ledger.close();
  appendFileSync(path, manyLines(10_998));
  ledger = await open(path);
  for (const bad of [10_998, 10_999, 11_000]) await ledger.add(spent(bad));
  assert.equal(ledger.entries.length, 10_001);
  assert.equal(ledger.entries[0]!.kind, 'maintenance');
  const last = ledger.entries.at(-1)!;
  assert.equal(last.kind === 'spent' && last.bad, 11_000);
  assert.ok(statSync(path).size < manyLines(10_500).length, 'the file is made anew');
  await ledger.close();
  const reopened = await open(path);
  assert.deepEqual(reopened.entries, ledger.entries);
  await reopened.close();
});

test('a process that still has the old file goes on in the new one', async () => {
  const path = newPath();
  const old = await open(path);
  appendFileSync(path, manyLines(11_000));
  const next = await open(path);
  await old.add(work(0, HOUR));
  await next.add(spent(11_000));
  await old.add(work(HOUR, 2 * HOUR));
  await Promise.all([old.close(), next.close()]);
  const reopened = await open(path);
  assert.equal(reopened.excluded('shop-up').length, 1);
  assert.deepEqual(reopened.excluded('shop-up')[0], { fromMs: 0, toMs: 2 * HOUR });
  await reopened.close();
});

test('what another process has not written to its end is left alone', async () => {
  const path = newPath();
  const ledger = await open(path);
  const line = formatEntry({ id: 'half', atMs: 0, ...spent(1) });
  appendFileSync(path, line.slice(0, 50));
  const other = await open(path);
  appendFileSync(path, line.slice(50));
  await other.add(spent(2));
  await Promise.all([ledger.close(), other.close()]);
  const reopened = await open(path);
  assert.deepEqual([reopened.entries.length, reopened.damaged], [2, []]);
  await reopened.close();
});

test('a process whose entry was taken in part only tries again, and cuts nothing of another away', async () => {
  const path = newPath();
  const program = `
    ${opened}
    let bad = 0;
    const add = () => ledger.add({ kind: 'spent', slo: 'shop-up', fromMs: 0, toMs: 1, good: 0, bad: ++bad, burst: true });
    // The limit on the size of a file is where the disk is full.
    while (await add().then(() => true, (error) => console.log(bad - 1 + ' ' + error.message) ?? false));
    process.stdin.once('data', () => add().catch((error) => console.log(error.message)).finally(() => process.exit()));`;
  const limited = ['-c', 'ulimit -f 2; exec "$0" "$@"', process.execPath, ...nodeArguments, program, path];
  const child = spawn('sh', limited, { stdio: ['pipe', 'pipe', 'inherit'] });
  const said = createInterface(child.stdout)[Symbol.asyncIterator]();
  const first = String((await said.next()).value);
  assert.match(
    first,
    /^\d+ The ledger .* could not be written: only a part of the entry was taken; the disk may be full\.$/,
  );
  assert.notEqual(readFileSync(path).at(-1), 0x0a, 'a part of an entry is there');
  const ledger = await open(path);
  const acknowledged = Number(first.split(' ')[0]);
  assert.equal(ledger.entries.length, acknowledged);
  await ledger.add(work(0, HOUR));
  child.stdin.write('again\n');
  assert.match(String((await said.next()).value), /could not be written: EFBIG/);
  await once(child, 'close');
  await ledger.close();
  const reopened = await open(path);
  assert.deepEqual([reopened.entries.length, reopened.damaged], [acknowledged + 1, []]);
  assert.deepEqual(reopened.entries.at(-1), ledger.entries.at(-1));
  await reopened.close();
});

test('made anew while another process writes, it has what that one was told is there', async () => {
  const path = newPath();
  const [anew, other] = [(await LedgerFile.open(path)).file, (await LedgerFile.open(path)).file];
  const late = { id: 'late', atMs: 0, ...spent(1) };
  await anew.replace((entries) => {
    appendFileSync(path, formatEntry(late));
    return entries;
  });
  const written: LedgerEntry[] = [];
  const writing = (async () => {
    for (let bad = 1; bad <= 200; bad += 1) {
      const entry = { id: `entry-${bad}`, atMs: 0, ...spent(bad) };
      await other.append(entry);
      written.push(entry);
    }
  })();
  for (let isWriting = true; isWriting;) {
    await anew.replace((entries) => entries);
    isWriting = written.length < 200;
  }
  await writing;
  await Promise.all([anew.close(), other.close()]);
  const reopened = await open(path);
  const ids = (entries: readonly LedgerEntry[]): readonly string[] => entries.map(({ id }) => id).toSorted();
  assert.deepEqual(ids(reopened.entries), ids([late, ...written]));
  await reopened.close();
});

test('of two that make it anew, the later one leaves nothing behind', async () => {
  const path = newPath();
  const [anew, other] = [(await LedgerFile.open(path)).file, (await LedgerFile.open(path)).file];
  const open = readdirSync('/proc/self/fd').length;
  await anew.replace((entries) => entries);
  await assert.rejects(
    other.replace((entries) => entries),
    { code: 'LEDGER_FILE', message: /another process did it/ },
  );
  assert.deepEqual(readdirSync(dirname(path)), ['ledger.ndjson']);
  assert.equal(readdirSync('/proc/self/fd').length, open);
  await Promise.all([anew.close(), other.close()]);
});

test('what cannot be written is not in force, and says why', async () => {
  // A path below a file can never be opened, for whoever it is.
  const below = join(newPath(), '..');
  writeFileSync(`${below}-file`, '');
  await assert.rejects(open(join(`${below}-file`, 'ledger.ndjson')), (error: Error) => {
    assert.match(error.message, /^The ledger .* could not be opened: (EEXIST|ENOTDIR)\.$/);
    return (error as { code?: string }).code === 'LEDGER_FILE';
  });
  const ledger = await open(newPath());
  await ledger.close();
  await assert.rejects(ledger.add(spent(1)), { code: 'LEDGER_FILE' });
  assert.deepEqual(ledger.entries, []);
});

test('killed in the midst of writing, nothing that was acknowledged is lost', async () => {
  const path = newPath();
  const program = `
    ${opened}
    for (let bad = 1; ; bad += 1) {
      await ledger.add({ kind: 'spent', slo: 'shop-up', fromMs: 0, toMs: 1, good: 0, bad, burst: true });
      process.stdout.write(bad + '\\n');
    }`;
  const child = spawn(process.execPath, [...nodeArguments, program, path], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text;
    if (said.split('\n').length > 50) child.kill('SIGKILL');
  });
  await once(child, 'close');
  const acknowledged = said.split('\n').length - 1;
  const ledger = await open(path);
  assert.deepEqual(ledger.damaged, []);
  assert.ok(ledger.entries.length >= acknowledged && acknowledged >= 50);
  assert.deepEqual(
    ledger.entries.map((entry) => (entry.kind === 'spent' ? entry.bad : 0)),
    ledger.entries.map((_, at) => at + 1),
  );
  await ledger.close();
});

test('any entry is read as it was written, and any other line is refused with a reason', () => {
  const text = fc.string({ minLength: 1, maxLength: 100 });
  const fields = {
    ...{ id: text, atMs: fc.integer(), kind: fc.constant('incident' as const), slo: fc.option(text) },
    ...{ fromMs: fc.integer({ max: 0 }), toMs: fc.integer({ min: 1 }), text, by: text, corrects: fc.option(text) },
  };
  const entry = fc.record(fields, { noNullPrototype: true });
  fc.assert(fc.property(entry, (given) => assert.deepEqual(parseEntry(formatEntry(given).trimEnd()), given)));
  fc.assert(fc.property(fc.json(), (line) => assert.equal(typeof parseEntry(line), 'string')));
});

test('what people say is read, or refused with what to do', () => {
  const entries = [{ id: 'e1', atMs: 0, ...spent(1) }] as LedgerEntry[];
  const world = { slos: ['shop-up'], entries, nowMs: Date.parse('2026-12-01T00:00:00Z') };
  const good = { kind: 'maintenance', from: '2026-12-01T22:00:00Z', to: '2026-12-02T00:00:00+01:00', text: 'disks' };
  assert.deepEqual(readFact(good, world), {
    kind: 'maintenance',
    slo: null,
    fromMs: Date.parse('2026-12-01T22:00:00Z'),
    toMs: Date.parse('2026-12-01T23:00:00Z'),
    text: 'disks',
    by: 'unknown',
    corrects: null,
  });
  assert.deepEqual(readFact({ kind: 'withdrawn', entry: 'e1', text: 'a test', by: 'ana' }, world), {
    ...{ kind: 'withdrawn', entry: 'e1', text: 'a test', by: 'ana' },
  });
  const refused = (given: unknown, said: RegExp): void => {
    const answer = readFact(given, world);
    assert.ok(typeof answer === 'string' && said.test(answer), JSON.stringify(answer));
  };
  for (const [change, said] of [
    [{ kind: 'spent' }, /kind is incident/],
    [{ from: '2026-12-01' }, /^from must be a time with its zone/],
    [{ to: '2026-12-01T22:00:00Z' }, /from must be before to/],
    [{ to: '2026-12-09T22:00:00Z' }, /at most 7 days/],
    [{ from: '2026-08-01T22:00:00Z', kind: 'incident' }, /at most 90 days ago/],
    [{ slo: 'shop-upp' }, /no objective "shop-upp"; there are shop-up/],
    [{ text: '' }, /^text must be/],
    [{ text: 'a\nb' }, /^text must be/],
    [{ text: 'x'.repeat(501) }, /at most 500/],
    [{ by: '\u202eana' }, /^by must be/],
    [{ corrects: 'e2' }, /there is none "e2"/],
    [{ why: 'x' }, /no key "why"/],
  ] as const) {
    refused({ ...good, ...change }, said);
  }
  refused('x', /JSON such as/);
});

test('what spent a budget, the largest first, parts as one, with what was said of it', async () => {
  const ledger = await open(null);
  const part = (fromMin: number, toMin: number, bad: number): LedgerFact => ({
    ...{ kind: 'spent', slo: 'shop-up', fromMs: fromMin * 60_000, toMs: toMin * 60_000, good: 1, bad, burst: true },
  });
  for (const each of [part(0, 5, 10), part(5, 10, 20), part(200, 205, 5)]) await ledger.add(each);
  const wrong = await ledger.add(part(100, 105, 900));
  const told = { slo: null, fromMs: 0, toMs: 60_000, text: 'a deploy', by: 'ana', corrects: null };
  await ledger.add({ kind: 'incident', ...told });
  await ledger.add({ kind: 'withdrawn', entry: wrong.id, text: 'counted wrongly', by: 'ana' });
  const found = spendings(ledger.entries, 'shop-up', { fromMs: 0, toMs: 10 * HOUR });
  assert.deepEqual(
    found.map(({ fromMs, toMs, bad, notes }) => [fromMs / 60_000, toMs / 60_000, bad, notes]),
    [
      [0, 10, 30, ['a deploy']],
      [200, 205, 5, []],
    ],
  );
  assert.deepEqual(spendings(ledger.entries, 'shop-quick', { fromMs: 0, toMs: 10 * HOUR }), []);
});
