/** What the admin API is asked and what it answers, and the answers that several of its paths give. */
import type { IncomingHttpHeaders } from 'node:http';
import type { LiveClient } from './live-feed.ts';
import type { Problem } from './problem.ts';

export interface ApiRequest {
  readonly method: string;
  /** What stands in the path where `apiPaths` has a name in braces, decoded. */
  readonly names: readonly string[];
  /** What follows `?`, decoded. */
  readonly query: URLSearchParams;
  readonly body: Buffer;
  readonly headers: IncomingHttpHeaders;
}

export type ApiAnswer =
  | {
      readonly kind: 'answer';
      readonly status: number;
      readonly contentType: string;
      /** In chunks if it is made while it is sent. */
      readonly body: string | Buffer | AsyncIterable<string | Uint8Array>;
      /** Beside, or instead of, those of every answer. */
      readonly headers?: Readonly<Record<string, string>>;
    }
  /** Goes on until one side closes; `begin` is called when the head is written. */
  | {
      readonly kind: 'stream';
      readonly contentType: string;
      readonly headers: Readonly<Record<string, string>>;
      readonly begin: (client: LiveClient) => void;
    }
  | { readonly kind: 'problem'; readonly problem: Problem };

export function json(status: number, value: unknown): ApiAnswer {
  return { kind: 'answer', status, contentType: 'application/json', body: `${JSON.stringify(value)}\n` };
}

export function badRequest(detail: string): ApiAnswer {
  return { kind: 'problem', problem: { status: 400, title: 'Bad Request', detail } };
}
