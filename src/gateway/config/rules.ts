/**
 * What no schema can say: rules between two places of a config. Each adds its mistakes to a list and knows nothing of the
 * others. An error is a config that cannot do what it says or is not safe; a warning is one that probably was not meant.
 */
import { isLoopback } from './address.ts';
import { checkListener } from './listener-rules.ts';
import { show } from './mistakes.ts';
import type { MistakeList, Path } from './mistakes.ts';
import type { Part, Parts, RuleContext } from './parts.ts';
import { checkSecrecy } from './pem.ts';
import type { FileSet } from './pem.ts';
import { checkRoutes } from './route-rules.ts';
import { checkService } from './service-rules.ts';

export function checkRules(parts: Parts, list: MistakeList, context: RuleContext): void {
  checkNames(parts.listeners, 'listeners', list);
  checkNames(parts.services, 'services', list);
  for (const [index, { value }] of parts.listeners.entries()) {
    if (value !== null) checkListener(value, index, parts, list, context);
  }
  for (const [index, { value }] of parts.services.entries()) {
    if (value !== null) checkService(value, index, parts, list, context);
  }
  checkRoutes(parts, list);
  checkAdmin(parts, list, context);
  checkLog(parts, list, context);
}

function checkNames(items: readonly Part<unknown>[], section: string, list: MistakeList): void {
  const first = new Map<string, number>();
  for (const [index, { name }] of items.entries()) {
    if (name === null) continue;
    const before = first.get(name);
    if (before === undefined) first.set(name, index);
    else {
      const message = `${section}[${index}] has the same name as ${section}[${before}]`;
      list.error([section, index, 'name'], { message, found: show(name), expected: 'a name of its own' });
    }
  }
}

function checkAdmin({ admin, listeners }: Parts, list: MistakeList, { files }: RuleContext): void {
  if (admin === null) return;
  const { address, token, tokenFile } = admin;
  for (const [index, { value }] of listeners.entries()) {
    if (value === null || address.port === 0 || value.address.text !== address.text) continue;
    const message = `the admin address is also that of listeners[${index}]`;
    list.error(['admin', 'address'], { message, found: address.text, expected: 'an address of its own' });
  }
  if (token !== undefined && tokenFile !== undefined) {
    list.error(['admin', 'tokenFile'], { message: 'admin has a token and a tokenFile', expected: 'one of the two' });
  } else if (token === undefined && tokenFile === undefined && !isLoopback(address.host)) {
    list.error(['admin', 'address'], {
      message: 'the admin address can be reached from other machines and no token is set',
      found: address.text,
      expected: `token or tokenFile, or a loopback address such as 127.0.0.1:${address.port}`,
    });
  }
  if (tokenFile !== undefined) checkTokenFile(tokenFile, list, files);
}

function checkTokenFile(tokenFile: string, list: MistakeList, files: FileSet): void {
  const path: Path = ['admin', 'tokenFile'];
  const found = files.read(tokenFile);
  if (!found.ok) {
    list.error(path, {
      message: `the file ${files.pathOf(tokenFile)} ${found.reason}`,
      expected: 'a file that holds the token',
    });
    return;
  }
  checkSecrecy(files, tokenFile, (_, finding) => list.warning(path, finding));
  if (!/^[!-~]{16,1024}$/.test(found.text.trim())) {
    const expected = 'a secret of 16 to 1024 visible ASCII characters';
    list.error(path, { message: `${files.pathOf(tokenFile)} holds no usable token`, expected });
  }
}

function checkLog({ accessLog }: Parts, list: MistakeList, { files }: RuleContext): void {
  if (accessLog === null || accessLog.target === 'stdout') return;
  const folder = files.folderOf(accessLog.target);
  if (folder.ok) return;
  list.error(['accessLog', 'target'], {
    message: `the folder ${folder.path} of the access log ${folder.reason}`,
    found: show(accessLog.target),
    expected: 'a file in a folder that exists',
  });
}
