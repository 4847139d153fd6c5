/** Asks a Prometheus for the value of a query now. One request, one answer, a deadline. */
import { SpillwayError } from '../kernel/errors.ts';
import { UsageError } from './command.ts';
import { printable } from './terminal.ts';

const TIMEOUT_MS = 10_000;
/** A value for each of a hundred objectives is 50 kB. */
const ANSWER_BYTES_MAX = 2 ** 20;

export interface PrometheusValue {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** Throws `UsageError` for an address that is none, `STORE_UNAVAILABLE` for no answer or another one. */
export async function queryPrometheus(address: string, query: string): Promise<readonly PrometheusValue[]> {
  const base = URL.canParse(address) ? new URL(address) : null;
  if (base === null || !/^https?:$/.test(base.protocol)) {
    throw new UsageError(`--prometheus ${address} is no address; expected one such as http://127.0.0.1:9090`);
  }
  base.pathname = `${base.pathname.replace(/\/$/, '')}/api/v1/query`;
  base.searchParams.set('query', query);
  // A name and password in the address are for a header: fetch takes none there.
  const [username, password] = [decoded(base.username), decoded(base.password)];
  base.username = '';
  base.password = '';
  const login = Buffer.from(`${username}:${password}`).toString('base64');
  const headers: Record<string, string> = username === '' ? {} : { Authorization: `Basic ${login}` };
  try {
    const response = await fetch(base, { headers, redirect: 'error', signal: AbortSignal.timeout(TIMEOUT_MS) });
    return valuesOf(JSON.parse(await readText(response)), response.status);
  } catch (error) {
    const cause = error instanceof Error ? (error.cause ?? error) : error;
    const reason = (cause as NodeJS.ErrnoException).code ?? (cause instanceof Error ? cause.message : String(cause));
    throw new SpillwayError(
      'STORE_UNAVAILABLE',
      `The Prometheus at ${base.origin} did not answer: ${printable(reason)}.`,
      {
        cause: error,
        retryable: true,
      },
    );
  }
}

/** What is written with a bare percent sign is taken as it stands. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

async function readText(response: Response): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of response.body ?? []) {
    bytes += chunk.length;
    if (bytes > ANSWER_BYTES_MAX) throw new Error('its answer does not end');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

interface Sample {
  readonly metric: Readonly<Record<string, string>>;
  readonly value: readonly [atS: number, value: string];
}

interface Answer {
  readonly error?: unknown;
  readonly data?: { readonly resultType?: unknown; readonly result?: readonly Sample[] };
}

function valuesOf(given: unknown, status: number): readonly PrometheusValue[] {
  const { error, data } = (given ?? {}) as Answer;
  const { resultType, result } = data ?? {};
  if (resultType === 'vector' && result !== undefined) {
    return result.map(({ metric, value }) => ({ labels: metric, value: Number(value[1]) }));
  }
  throw new Error(typeof error === 'string' ? error : `status ${status}, and not what Prometheus answers`);
}
