/** Rules about `admin`: an address of its own, and nobody let in by oversight. */
import { isLoopback } from './address.ts';
import { adminSecrets, tokenKeys } from './admin-grants.ts';
import type { MistakeList, Path } from '../../reading/mistakes.ts';
import type { Parts } from './parts.ts';
import type { RuleContext } from './rule-context.ts';
import { checkSecrecy } from './pem.ts';
import type { Admin } from './schema.ts';
import { readSecret } from './secret.ts';

/** `sockaddr_un` has 108 bytes, one of them for the end. */
const SOCKET_PATH_BYTES_MAX = 107;

export function checkAdmin(parts: Parts, list: MistakeList, context: RuleContext): void {
  const { admin } = parts;
  if (admin === null) return;
  if (admin.address.kind === 'unix') checkSocket(admin.address.path, list, context);
  else checkPort(admin, parts, list);
  checkTokens(admin, list, context);
}

function checkPort({ address, ...admin }: Admin, { listeners }: Parts, list: MistakeList): void {
  if (address.kind !== 'tcp') return;
  const path: Path = ['admin', 'address'];
  for (const [index, { value }] of listeners.entries()) {
    if (value === null || address.port === 0 || value.address.text !== address.text) continue;
    const message = `the admin address is also that of listeners[${index}]`;
    list.error(path, { message, found: address.text, expected: 'an address of its own' });
  }
  if (isLoopback(address.host) || adminSecrets({ address, ...admin }).length > 0) return;
  list.error(path, {
    message: 'the admin address can be reached from other machines and no token is set',
    found: address.text,
    expected: `a token, or a loopback address such as 127.0.0.1:${address.port}`,
  });
}

function checkSocket(given: string, list: MistakeList, { files }: RuleContext): void {
  const path: Path = ['admin', 'address'];
  const socket = files.pathOf(given);
  if (Buffer.byteLength(socket) > SOCKET_PATH_BYTES_MAX) {
    const expected = `at most ${SOCKET_PATH_BYTES_MAX} bytes`;
    list.error(path, { message: 'the path of the admin socket is too long', found: socket, expected });
  }
  const folder = files.folderOf(given);
  if (folder.ok) return;
  const message = `the folder ${folder.path} of the admin socket ${folder.reason}`;
  list.error(path, { message, expected: 'a socket in a folder that exists' });
}

function checkTokens(admin: Admin, list: MistakeList, { files, environment }: RuleContext): void {
  const seen = new Map<string, string>();
  for (const [role, secret] of adminSecrets(admin)) {
    if (secret === 'none') continue;
    const path: Path = ['admin', tokenKeys[role]];
    const read = readSecret(secret, files, environment);
    if (!read.ok) {
      list.error(path, { message: read.message, expected: read.expected });
      continue;
    }
    if (secret.from === 'file') checkSecrecy(files, secret.path, (_, finding) => list.warning(path, finding));
    const same = seen.get(read.text);
    seen.set(read.text, tokenKeys[role]);
    if (same === undefined) continue;
    const message = `${tokenKeys[role]} is the same as ${same}, so whoever has the one may do what the other allows`;
    list.error(path, { message, expected: 'a token of its own' });
  }
}
