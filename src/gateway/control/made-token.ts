/**
 * The token for changes of a gateway whose config names none: made once, kept in a file that only its user may read, and read
 * again whenever it is asked for, so that a file that is deleted is a token that is worth nothing any more.
 *
 * Invariants: nothing here stops the gateway; what cannot be kept is in memory, and that is said. A token that was in a file is never
 * used without it, except while the file cannot be looked at.
 */
import { homedir } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';
import { formatAdminAddress } from '../admin/listen.ts';
import { type HeldToken, makeToken, readTokenFile, type TokenFile, writeTokenFile } from '../admin/token-file.ts';
import type { Config } from '../config/index.ts';
import { adminPlace } from './read-config.ts';

export interface MadeTokenOptions {
  readonly onNotice: (level: 'info' | 'warn', message: string) => void;
  /** @defaultValue that of the process */
  readonly environment?: NodeJS.ProcessEnv;
}

export class MadeToken {
  readonly #options: MadeTokenOptions;
  #held: HeldToken | null = null;
  #renewing: { readonly config: Config; readonly done: Promise<void> } | null = null;
  /** Why it is in memory alone, as it was said last. */
  #problem: string | null = null;

  constructor(options: MadeTokenOptions) {
    this.#options = options;
  }

  /** Null before the first `renew`. */
  get held(): HeldToken | null {
    return this.#held;
  }

  /** Looks where the token of this config is kept, and makes one if none is there. Whoever asks meanwhile gets the same. */
  async renew(config: Config): Promise<void> {
    while (this.#renewing !== null && this.#renewing.config !== config) await this.#renewing.done;
    this.#renewing ??= { config, done: this.#renew(config).finally(() => (this.#renewing = null)) };
    await this.#renewing.done;
  }

  async #renew(config: Config): Promise<void> {
    const path = tokenPath(config, this.#options.environment ?? process.env);
    if (path === null) {
      this.#holdInMemory('this user has no home folder');
      return;
    }
    const found = await readOwn(path);
    if (found.kind === 'token') this.#keep(found.text, path);
    else if (found.kind !== 'unreadable') await this.#make(path, found.kind === 'unfit' ? found.reason : null);
    else if (this.#held?.file !== path) this.#holdInMemory(`${path} cannot be read (${found.code})`);
  }

  /** `unfit`: why the file that is there must not be believed. */
  async #make(path: string, unfit: string | null): Promise<void> {
    const text = this.#inMemory ?? makeToken();
    try {
      await writeTokenFile(path, text, { replace: unfit !== null });
    } catch (error) {
      const { code = String(error) } = error as NodeJS.ErrnoException;
      // Said as one thing: whoever may look can have this tried as often as they like.
      this.#holdInMemory(`${path} ${unfit === null ? '' : `${unfit}, and `}cannot be written (${code})`);
      return;
    }
    if (unfit !== null) {
      const message = `${path} ${unfit}: the token in it is not used, and another one is made.`;
      this.#options.onNotice('warn', message);
    }
    // Another gateway of this user may have been faster.
    const kept = await readOwn(path);
    if (kept.kind === 'token') this.#keep(kept.text, path);
    else this.#holdInMemory(`${path} does not hold what was written into it`);
  }

  get #inMemory(): string | null {
    return this.#held?.file === null ? this.#held.text : null;
  }

  #keep(text: string, file: string): void {
    const before = this.#held;
    this.#held = { text, file };
    this.#problem = null;
    if (before === null || (before.text === text && before.file === file)) return;
    const what = before.text === text ? 'is kept' : 'is another one now, and is kept';
    this.#options.onNotice('info', `The admin token ${what} in ${file}.`);
  }

  #holdInMemory(problem: string): void {
    this.#held = { text: this.#inMemory ?? makeToken(), file: null };
    if (problem === this.#problem) return;
    this.#problem = problem;
    const advice = 'Set `data` to a folder that this user may write, or set `admin.token`.';
    const message = `The admin token is in memory alone, and another one after each start: ${problem}. ${advice}`;
    this.#options.onNotice('warn', message);
  }
}

/** Root may read what belongs to others, but whose file it is knows what is in it. */
async function readOwn(path: string): Promise<TokenFile> {
  const found = await readTokenFile(path);
  const isForeign = found.kind === 'token' && found.uid !== (process.geteuid?.() ?? found.uid);
  return isForeign ? { kind: 'unfit', reason: 'belongs to another user' } : found;
}

/**
 * In the folder under `data`; without one in that of the service, if a service manager gave it one (systemd.exec(5)), else in the user's
 * folder for what programs keep (XDG Base Directory Specification), by the address, as a user may run several. Null if there is none.
 */
function tokenPath(config: Config, environment: NodeJS.ProcessEnv): string | null {
  const { data, folder } = config;
  if (data !== undefined) return resolve(folder, data, 'admin-token');
  const place = adminPlace(config, null);
  const home = stateFolder(environment);
  if (place === null || home === null) return null;
  return join(home, `admin-token-${formatAdminAddress(place.at).replaceAll(/[^A-Za-z0-9.]+/g, '-')}`);
}

function stateFolder(environment: NodeJS.ProcessEnv): string | null {
  const [ofService = ''] = environment['STATE_DIRECTORY']?.split(':') ?? [];
  if (isAbsolute(ofService)) return ofService;
  const ofUser = environment['XDG_STATE_HOME'] ?? '';
  if (isAbsolute(ofUser)) return join(ofUser, 'spillway');
  try {
    const home = homedir();
    return isAbsolute(home) ? join(home, '.local', 'state', 'spillway') : null;
  } catch {
    return null; // a user that the machine does not know
  }
}
