/** The token that a gateway makes: where it is kept, what of it is believed, and what becomes of it when its file goes. */
import assert from 'node:assert/strict';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { adminBackend } from '../../../test/admin-backend.ts';
import { config as configInput, folder } from '../../../test/gateway-under-test.ts';
import { type Config, resolveConfig } from '../config/index.ts';
import { readTokenFile } from '../admin/token-file.ts';
import { AdminEndpoint } from './admin-endpoint.ts';
import { MadeToken } from './made-token.ts';

const OTHER_USER = 65_534;
const shape = /^spillway_[A-Za-z0-9_-]{43}$/;

function configAt(home: string, given: Parameters<typeof configInput>[1] = {}): Config {
  const input = configInput('127.0.0.1:1', { admin: { address: '127.0.0.1:9900' }, ...given });
  const { config } = resolveConfig(input, { file: join(home, 'spillway.yaml') });
  assert.ok(config !== null);
  return config;
}

function tokens(environment: NodeJS.ProcessEnv) {
  const notices: string[] = [];
  const make = (): MadeToken =>
    new MadeToken({ environment, onNotice: (level, message) => notices.push(`${level}: ${message}`) });
  return { make, notices };
}

/** In the folder of a user, with a gateway that has its token. */
async function started() {
  const home = folder();
  const config = configAt(home);
  const { make, notices } = tokens({ XDG_STATE_HOME: home });
  const token = make();
  await token.renew(config);
  const file = join(home, 'spillway', 'admin-token-127.0.0.1-9900');
  return { home, config, make, notices, token, file };
}

test('is made of 256 random bits, in a file for its user alone, and stays the same over a restart', async () => {
  const { config, make, notices, token, file } = await started();
  assert.match(token.held!.text, shape);
  assert.equal(token.held!.file, file);
  assert.equal(readFileSync(file, 'utf8'), `${token.held!.text}\n`);
  const { mode, uid } = statSync(file);
  assert.deepEqual([mode & 0o777, uid], [0o600, process.geteuid?.()]);
  assert.equal(statSync(join(file, '..')).mode & 0o777, 0o700);
  assert.deepEqual(readdirSync(join(file, '..')), ['admin-token-127.0.0.1-9900'], 'nothing else is left');
  const next = make();
  await next.renew(config);
  assert.deepEqual(next.held, token.held);
  assert.deepEqual(notices, []);
});

test('two that start at once have one token', async () => {
  const home = folder();
  const { make } = tokens({ XDG_STATE_HOME: home });
  const both = Array.from({ length: 8 }, make);
  await Promise.all(both.map((each) => each.renew(configAt(home))));
  assert.equal(new Set(both.map(({ held }) => held?.text)).size, 1);
});

test('a file that is deleted is another token, from the next look on', async () => {
  const { config, notices, token, file } = await started();
  const before = token.held!.text;
  rmSync(file);
  await token.renew(config);
  assert.match(token.held!.text, shape);
  assert.notEqual(token.held!.text, before);
  assert.equal(readFileSync(file, 'utf8').trim(), token.held!.text);
  assert.deepEqual(notices, [`info: The admin token is another one now, and is kept in ${file}.`]);
  assert.doesNotMatch(notices.join(), /spillway_/);
});

const unfit: Readonly<Record<string, readonly [(file: string) => void, RegExp]>> = {
  'that others may read': [(file) => chmodSync(file, 0o640), /may be used by others \(mode 0640, not 0600\)/],
  'that is a link': [
    (file) => {
      writeFileSync(`${file}.other`, `spillway_${'a'.repeat(43)}\n`, { mode: 0o600 });
      rmSync(file);
      symlinkSync(`${file}.other`, file);
    },
    /is a link/,
  ],
  'with a word in it': [(file) => writeFileSync(file, 'secret\n'), /is no file with a token/],
  'that is empty': [(file) => writeFileSync(file, ''), /is no file with a token/],
  'without an end': [(file) => writeFileSync(file, 'a'.repeat(100_000)), /is no file with a token/],
};

for (const [what, [spoil, says]] of Object.entries(unfit)) {
  test(`a file ${what} is not believed, and another one is in its place`, async () => {
    const { config, notices, token, file } = await started();
    const before = token.held!.text;
    spoil(file);
    await token.renew(config);
    assert.match(token.held!.text, shape);
    assert.ok(![before, `spillway_${'a'.repeat(43)}`].includes(token.held!.text));
    const stat = statSync(file);
    assert.deepEqual([stat.isFile(), stat.mode & 0o777], [true, 0o600]);
    assert.equal(readFileSync(file, 'utf8').trim(), token.held!.text);
    assert.match(notices[0]!, says);
  });
}

/** Root may read everything: what others may not is tried as one of them. */
async function asOther(run: () => Promise<void>): Promise<void> {
  if (process.geteuid?.() !== 0) return run();
  process.seteuid!(OTHER_USER);
  try {
    await run();
  } finally {
    process.seteuid!(0);
  }
}

test('while the file cannot be looked at, the token that is known goes on', async () => {
  const { config, notices, token, file } = await started();
  const home = join(file, '..');
  const { held } = token;
  await asOther(async () => {
    if (process.geteuid?.() !== OTHER_USER) chmodSync(home, 0);
    await token.renew(config);
  });
  chmodSync(home, 0o700);
  assert.deepEqual([token.held, notices], [held, []]);
});

test('the file of another user is not believed: a command of root may read it, a gateway of root takes no token from it', async () => {
  const ofRoot = '/proc/sys/kernel/ostype';
  await asOther(async () =>
    assert.deepEqual(await readTokenFile(ofRoot), { kind: 'unfit', reason: 'belongs to another user' }),
  );
  if (process.geteuid?.() !== 0) return;
  const { config, notices, token, file } = await started();
  const { text } = token.held!;
  chownSync(file, OTHER_USER, OTHER_USER);
  assert.deepEqual(await readTokenFile(file), { kind: 'token', text, uid: OTHER_USER });
  await token.renew(config);
  assert.notEqual(token.held!.text, text);
  assert.equal(statSync(file).uid, 0);
  assert.match(notices[0]!, /belongs to another user: the token in it is not used/);
});

test('a file that is not believed and cannot be replaced is said once, however often it is looked at', async () => {
  const home = folder();
  const { make, notices } = tokens({ XDG_STATE_HOME: home });
  // A folder that is in the way: nobody can write a file over it.
  mkdirSync(join(home, 'spillway', 'admin-token-127.0.0.1-9900', 'full'), { recursive: true });
  const token = make();
  for (let look = 0; look < 3; look++) await token.renew(configAt(home));
  assert.equal(token.held!.file, null);
  assert.equal(notices.length, 1);
  assert.match(notices[0]!, /in memory alone.* is no file with a token, and cannot be written \(E\w+\)/);
  assert.deepEqual(readdirSync(join(home, 'spillway')), ['admin-token-127.0.0.1-9900'], 'nothing else is left');
});

test('a home folder that is no absolute path is none', async () => {
  const { HOME } = process.env;
  try {
    for (const home of ['', 'here']) {
      process.env['HOME'] = home;
      const { make, notices } = tokens({ XDG_STATE_HOME: home });
      const token = make();
      await token.renew(configAt(folder()));
      assert.deepEqual([token.held!.file, notices.length], [null, 1]);
      assert.match(notices[0]!, /in memory alone.*this user has no home folder/);
    }
  } finally {
    process.env['HOME'] = HOME;
  }
});

test('no call has one made before the gateway does, which may be root until then', async () => {
  const home = folder();
  const endpoint = new AdminEndpoint(() => {}, adminBackend().whole);
  const move = await endpoint.prepare(configAt(home, { admin: { address: '127.0.0.1:0' }, data: 'kept' }));
  move.commit();
  const file = join(home, 'kept', 'admin-token');
  const reload = (token: string) =>
    fetch(`http://${endpoint.address}/api/reload`, { method: 'POST', headers: { Authorization: `Bearer ${token}` } });
  try {
    assert.equal((await fetch(`http://${endpoint.address}/api/token`)).status, 200);
    assert.equal((await reload('guessed')).status, 401);
    assert.equal(existsSync(file), false);
    await endpoint.renewToken();
    assert.equal((await reload(endpoint.token!)).status, 200);
    rmSync(file);
    assert.equal((await reload('guessed')).status, 401);
    assert.equal(existsSync(file), true, 'from then on each call looks');
  } finally {
    await endpoint.close();
  }
});

test('where nothing can be written it is in memory, which is said once, with what to do; and kept when it can be', async () => {
  const home = folder();
  // A file where the folder should be: as little to be written as a disk that is read-only, for root too.
  writeFileSync(join(home, 'spillway'), '');
  const { make, notices } = tokens({ XDG_STATE_HOME: home });
  const token = make();
  const config = configAt(home);
  await token.renew(config);
  await token.renew(config);
  assert.match(token.held!.text, shape);
  assert.equal(token.held!.file, null);
  const { text } = token.held!;
  assert.equal(notices.length, 1);
  assert.match(
    notices[0]!,
    /^warn: The admin token is in memory alone.*cannot be written \(E\w+\)\. Set `data`.*`admin\.token`\.$/,
  );
  rmSync(join(home, 'spillway'));
  await token.renew(config);
  assert.equal(token.held!.text, text);
  assert.equal(readFileSync(token.held!.file!, 'utf8').trim(), text);
  assert.equal(notices[1], `info: The admin token is kept in ${token.held!.file}.`);
  assert.doesNotMatch(notices.join(), /spillway_/);
});

test('is in the folder under `data`, else in that of the service, else in the user’s', async () => {
  const home = folder();
  const placeOf = async (environment: NodeJS.ProcessEnv, given: Parameters<typeof configInput>[1] = {}) => {
    const token = tokens(environment).make();
    await token.renew(configAt(home, given));
    return token.held!.file;
  };
  const all = { STATE_DIRECTORY: `${home}/service:${home}/other`, XDG_STATE_HOME: `${home}/xdg`, HOME: home };
  assert.equal(await placeOf(all, { data: 'kept' }), join(home, 'kept', 'admin-token'));
  assert.equal(await placeOf(all), join(home, 'service', 'admin-token-127.0.0.1-9900'));
  const { STATE_DIRECTORY: _, ...user } = all;
  assert.equal(await placeOf(user), join(home, 'xdg', 'spillway', 'admin-token-127.0.0.1-9900'));
  const socket = { admin: { address: `unix:${home}/admin.sock` } } as const;
  assert.match((await placeOf(user, socket))!, /\/admin-token-unix-[\w.-]+-admin\.sock$/);
});
