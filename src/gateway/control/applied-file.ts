/**
 * Which files may be applied through the admin API: configs in the folder of the one that the gateway was started with, or below.
 *
 * Who calls that API may be anyone on this machine, where no token is set, and a config module is a program that runs as the
 * gateway's user. So the path is judged and not the caller: who can write there decides what the gateway does anyhow. What has
 * another ending than a config is not read either, because the mistakes that are told repeat what stands in a file.
 */
import { realpath } from 'node:fs/promises';
import { basename, dirname, extname, resolve, sep } from 'node:path';
import { configNames } from '../config/index.ts';

const endings: ReadonlySet<string> = new Set([...configNames.map((name) => extname(name)), '.json']);

/** Why `file` may not be applied to a gateway that was started with `first`, null for a value; null if it may. */
export async function applyRefusal(file: string, first: string | null): Promise<string | null> {
  const ending = extname(file);
  if (!endings.has(ending)) {
    return `The name of a config ends in one of ${[...endings].join(', ')}; ${basename(file)} was not read.`;
  }
  if (first === null) return 'This gateway was given its config by a program and reads no files.';
  const home = dirname(resolve(first));
  const [inside, folder] = await Promise.all([real(home), real(dirname(resolve(file)))]);
  if (folder !== null && inside !== null && (folder === inside || folder.startsWith(withSeparator(inside))))
    return null;
  return `${file} is not in ${home}, where the config of this gateway is; configs from elsewhere are not read.`;
}

function withSeparator(folder: string): string {
  return folder.endsWith(sep) ? folder : `${folder}${sep}`;
}

/** Without symbolic links; null if there is no such folder. */
function real(folder: string): Promise<string | null> {
  return realpath(folder).catch(() => null);
}
