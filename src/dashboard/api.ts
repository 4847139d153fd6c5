/** Calls of the admin API from the page: with the token of this tab, and with what is wrong in words. */
import { signal } from '@preact/signals';
import { storedToken } from './browser.ts';

/** What this page may do: `read`, `write`, or '' while that is not known. */
export const role = signal<string>('');
/** The gateway asks for a token, and why; null while it does not. */
export const tokenWanted = signal<string | null>(null);

/** Longer than any answer should take, and short enough that whoever looks is told that it did not come. */
const ANSWER_MS = 10_000;

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

/** Whole, within `ANSWER_MS`; `signal` is of whoever asks, and its end no problem to be told. */
export async function getJson<T>(path: string, signal?: AbortSignal): Promise<T> {
  const late = AbortSignal.timeout(ANSWER_MS);
  const either = signal === undefined ? late : AbortSignal.any([signal, late]);
  try {
    const response = await call(path, { signal: either });
    return (await response.json()) as T;
  } catch (error) {
    if (!late.aborted || signal?.aborted === true) throw error;
    throw new ApiError(0, `The gateway took more than ${ANSWER_MS / 1000} s to answer.`);
  }
}

export async function postJson<T>(path: string, body?: unknown): Promise<T> {
  const response = await call(path, {
    method: 'POST',
    ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'Content-Type': 'application/json' } }),
  });
  return (await response.json()) as T;
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
