/** The address of a Redis server: `redis://[user:password@]host[:port][/database]`, or `rediss://` with TLS. */
import type { MistakeList, Path } from '../../reading/mistakes.ts';
import type { RuleContext } from './rule-context.ts';
import { checkSecrecy } from './pem.ts';
import { pointedText, type PointedPlaces, readPointed, type Secret, type SecretText } from './secret.ts';

const expected =
  'the address of a Redis server, such as redis://cache.internal:6379 or rediss://user:password@host:6380/1';
const PORT = '6379';
/** Nobody has a longer one; a password has 1,024 characters at most elsewhere too. */
const LENGTH_MAX = 2048;

/** In the config. */
export function redisUrl() {
  return pointedText({
    expected,
    accepts: isRedisUrl,
    meta: { pattern: '^rediss?://.+$|^file:.+$|^env:.+$', examples: ['redis://cache.internal:6379', 'env:REDIS_URL'] },
  });
}

export function readRedisUrl(given: Secret, places: PointedPlaces): SecretText {
  return readPointed(given, places, { what: 'address', expected, accepts: isRedisUrl });
}

/** Without user and password, with what else was left out: for people. */
export function redisName(url: string): string {
  const { protocol, hostname, port, pathname } = new URL(url);
  const database = pathname.slice(1);
  return `${protocol}//${hostname}:${port === '' ? PORT : port}/${database === '' ? '0' : database}`;
}

function isRedisUrl(text: string): boolean {
  if (text.length > LENGTH_MAX || !/^rediss?:\/\/[!-~]+$/.test(text) || !URL.canParse(text)) return false;
  const { username, password, hostname, pathname, search, hash } = new URL(text);
  if (!isDecodable(username) || !isDecodable(password)) return false;
  return hostname !== '' && /^(\/[0-9]{0,5})?$/.test(pathname) && search === '' && hash === '';
}

/** The clients throw on a `%` that encodes nothing, and a worker would not start. */
function isDecodable(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}

/** That it can be read where it is said to be, and by nobody else. */
export function checkRedisUrl(given: Secret, path: Path, list: MistakeList, context: RuleContext): void {
  const read = readRedisUrl(given, context);
  if (!read.ok) list.error(path, { message: read.message, expected: read.expected });
  else if (given.from === 'file') {
    checkSecrecy(context.files, given.path, (_, finding) => list.warning(path, finding));
  }
}
