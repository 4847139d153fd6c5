/** Calls of the admin API from the page: with the token of this tab, and with what is wrong in words. */
import { signal } from '@preact/signals';
import { pageClock, storedToken } from './browser.ts';

/** What this page may do: `read`, `write`, or '' while that is not known. */
export const role = signal<string>('');
/** The gateway asks for a token, and why; null while it does not. */
export const tokenWanted = signal<string | null>(null);

/** How many tokens were given: whoever asked with another one, or none, asks again. */
export const tokensGiven = signal(0);

/** Why what would change something cannot be used; undefined if it can. */
export function whyReadOnly(): string | undefined {
  if (role.value === 'write') return undefined;
  return storedToken.get() === null
    ? 'Changing something takes the token: Unlock, above.'
    : 'This token may only look.';
}

export function giveToken(token: string): void {
  storedToken.set(token);
  tokenWanted.value = null;
  tokensGiven.value += 1;
}

/** Longer than any answer should take, and short enough that whoever looks is told that it did not come. */
const ANSWER_MS = 10_000;
/** A change is answered when all workers have it, and each of them is given 15 s for that. */
const CHANGE_MS = 20_000;

export class ApiError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** Throws `ApiError` with the sentence that the gateway gave, or with one of ours if it gave none. */
export async function call(path: string, options: RequestInit = {}): Promise<Response> {
  const token = storedToken.get();
  const headers = new Headers(options.headers);
  if (token !== null) {
    try {
      headers.set('Authorization', `Bearer ${token}`);
    } catch {
      throw wantToken('No token has such characters.');
    }
  }
  let response: Response;
  try {
    response = await fetch(path, { ...options, headers, cache: 'no-store', credentials: 'omit', redirect: 'error' });
  } catch (error) {
    if (options.signal?.aborted === true) throw error;
    throw new ApiError(0, 'The gateway does not answer.');
  }
  if (response.ok) return response;
  const detail = await detailOf(response);
  if (response.status === 401) throw wantToken(token === null ? '' : 'The gateway does not know this token.', detail);
  throw new ApiError(response.status, detail);
}

/** What was shown is forgotten, and another token asked for: `why` is said there. */
export function wantToken(why: string, detail = why): ApiError {
  storedToken.set(null);
  tokenWanted.value = why;
  return new ApiError(401, detail);
}

/** `signal` is of whoever asks, and its end no problem to be told. */
export function getJson<T>(path: string, signal?: AbortSignal): Promise<T> {
  return wholeAnswer<T>(path, signal === undefined ? {} : { signal }, ANSWER_MS);
}

/** Says what this page is to be told, which changes nothing in the gateway. */
export function putJson<T>(path: string, body: unknown): Promise<T> {
  return wholeAnswer<T>(path, { ...withJson(body), method: 'PUT' }, ANSWER_MS);
}

/** Only an answer says whether it was done: without one the error says that it may have been. */
export async function postJson<T>(path: string, body?: unknown): Promise<T> {
  try {
    return await wholeAnswer<T>(path, { ...(body === undefined ? {} : withJson(body)), method: 'POST' }, CHANGE_MS);
  } catch (error) {
    if (error instanceof ApiError && error.status !== 0) throw error;
    const why = error instanceof ApiError ? error.message : 'The answer of the gateway broke off.';
    throw new ApiError(0, `${why}\nIt may have been done all the same: look again.`);
  }
}

function withJson(body: unknown): RequestInit {
  return { body: JSON.stringify(body), headers: { 'Content-Type': 'application/json' } };
}

async function wholeAnswer<T>(path: string, options: RequestInit, limitMs: number): Promise<T> {
  const { signal } = options;
  const late = new AbortController();
  const timer = pageClock.after(limitMs, () => late.abort());
  try {
    const either = signal ? AbortSignal.any([signal, late.signal]) : late.signal;
    const response = await call(path, { ...options, signal: either });
    return (await response.json()) as T;
  } catch (error) {
    if (!late.signal.aborted || signal?.aborted === true) throw error;
    throw new ApiError(0, `The gateway took more than ${limitMs / 1000} s to answer.`);
  } finally {
    timer.clear();
  }
}

async function detailOf(response: Response): Promise<string> {
  try {
    const { detail, problems } = (await response.json()) as { detail?: unknown; problems?: unknown };
    const more = Array.isArray(problems) ? problems.map(String).slice(0, 5) : [];
    if (typeof detail === 'string') return [detail, ...more].join('\n');
  } catch {
    // Not a problem in JSON.
  }
  return `The gateway answered ${response.status}.`;
}
