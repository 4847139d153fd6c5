import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Plain } from './plain.ts';
import { SecretNames } from './secret-names.ts';
import { withoutSecrets } from './secret-text.ts';

const names = new SecretNames([], []);
const key = '-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----';
const hiddenKey = '-----BEGIN PRIVATE KEY-----[redacted]';

for (const [what, text, shown] of [
  ['each private key', `read ${key} and ${key}.`, `read ${hiddenKey} and ${hiddenKey}.`],
  ['a private key that is cut', key.slice(0, 30), hiddenKey],
  ['a signed token', 'expired: eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln, at noon', 'expired: [redacted], at noon'],
  [
    'a private key without lines',
    `A=${key.replaceAll('\n', ' ').replace('MIIE', 'MIIE'.repeat(9))}.`,
    `A=${hiddenKey}.`,
  ],
  ['a private key of PGP', key.replaceAll('KEY', 'KEY BLOCK'), hiddenKey.replace('KEY', 'KEY BLOCK')],
  ['an encrypted token', 'of eyJhbGciOiJkaXIi..aXY.Y2lwaGVy.dGFn', 'of [redacted]'],
  ['what follows a flag', 'dump --host db --password hunter2 --all', 'dump --host db --password [redacted] --all'],
  ['what a flag has quoted', "--password '-hunter2' -v", '--password [redacted] -v'],
  ['a password of SQL', "ROLE shop PASSWORD 'hunter2' UNTIL '1d'", "ROLE shop PASSWORD '[redacted]' UNTIL '1d'"],
  ['a password of SQL with an apostrophe', "PASSWORD E'it''s' UNTIL '1d'", "PASSWORD '[redacted]' UNTIL '1d'"],
  ['a password of MySQL', "USER shop IDENTIFIED BY 'hunter2'", "USER shop IDENTIFIED BY '[redacted]'"],
  ['a password that is compared', "WHERE password = 'hunter2' AND id = 4", "WHERE password = '[redacted]' AND id = 4"],
  [
    'what follows a flag in a list',
    "[ 'dump', '--password', 'hunter2', '-v' ]",
    "[ 'dump', '--password', [redacted], '-v' ]",
  ],
  ['what follows a flag in JSON', '["--password","hunter2","-v"]', '["--password",[redacted],"-v"]'],
] as const) {
  test(`of a text ${what} is hidden`, () => assert.equal(withoutSecrets(text, names), shown));
}

for (const text of [
  `Unexpected token 'h', "hello" is not valid JSON; the password is wrong`,
  '-----BEGIN CERTIFICATE-----\nMIIE\n-----END CERTIFICATE-----',
  'run --token --verbose',
  "[ 'run', '--token', '--verbose' ]",
  'it is to begin with -----BEGIN PRIVATE KEY-----, and server.key begins with a certificate',
  'JSON eyJ.a.b',
]) {
  test(`“${text}” has no secret`, () => assert.equal(withoutSecrets(text, names), text));
}

test('in a list, what follows the name of a secret as a flag is hidden', () => {
  const shown = new Plain({ names, paths: null }, {}).value(['dump', '--password', 'hunter2', '--host', 'db']);
  assert.deepEqual(shown, ['dump', '--password', '[redacted]', '--host', 'db']);
});
