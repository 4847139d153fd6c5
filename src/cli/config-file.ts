/** The config file a command works on: the one that is named, else the one that is found. */
import { SpillwayError } from '../kernel/errors.ts';
import { configNames, findConfig } from '../gateway/config/index.ts';

/** Throws CONFIG_NOT_FOUND if none is named and none is here. */
export function chooseConfig(named: string | null): string {
  const file = named ?? findConfig(process.cwd());
  if (file !== null) return file;
  const names = `${configNames.slice(0, -1).join(', ')} or ${configNames.at(-1)}`;
  throw new SpillwayError(
    'CONFIG_NOT_FOUND',
    `There is no ${names} in this folder. Name the file, or write one with "spillway init".`,
  );
}
