/**
 * The gateway's own answers: a refusal as a short problem document (RFC 9457), and the interim 100.
 * They say what the client did wrong or that no server could answer, never anything about the servers (duty of RFC 9209 §1).
 */
import { ascii } from '../../kernel/bytes.ts';
import { refusals } from '../slots.ts';
import { WEB_SOCKET_VERSION } from './web-socket.ts';

const reasons: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  404: 'Not Found',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  413: 'Content Too Large',
  414: 'URI Too Long',
  417: 'Expectation Failed',
  421: 'Misdirected Request',
  426: 'Upgrade Required',
  429: 'Too Many Requests',
  431: 'Request Header Fields Too Large',
  501: 'Not Implemented',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
  505: 'HTTP Version Not Supported',
  508: 'Loop Detected',
};

export interface RefusalAnswer {
  /** A place in `refusals`. */
  readonly number: number;
  readonly close: boolean;
  readonly head: boolean;
  /** Seconds for `Retry-After`, or -1. */
  readonly retryAfterS: number;
  readonly wallMs: number;
  /** Of limits. */
  readonly limited?: LimitedAnswer;
}

/** What a refusal by limits says besides. */
export interface LimitedAnswer {
  /** Names of those that refused. */
  readonly refusedBy: readonly string[];
  /** More lines for the head, line breaks included. */
  readonly lines: string;
}

/** Registered for limits by draft-ietf-httpapi-ratelimit-headers §6: the client's fault, or ours. */
const PROBLEMS = 'https://iana.org/assignments/http-problem-types';
const QUOTA_EXCEEDED = `${PROBLEMS}#quota-exceeded`;
const REDUCED_CAPACITY = `${PROBLEMS}#temporary-reduced-capacity`;

/** A refusal as the bytes of a whole response. */
export function refusalAnswer(answer: RefusalAnswer): Uint8Array<ArrayBuffer> {
  const refusal = refusals[answer.number] ?? refusals[0];
  const reason = reasons[refusal.status] ?? 'Error';
  const { limited } = answer;
  const problem = {
    ...(limited === undefined ? {} : { type: refusal.status === 429 ? QUOTA_EXCEEDED : REDUCED_CAPACITY }),
    title: reason,
    status: refusal.status,
    detail: refusal.text,
    code: refusal.word,
    ...(limited === undefined ? {} : { 'violated-policies': limited.refusedBy }),
  };
  const body = `${JSON.stringify(problem)}\n`;
  const lines = [
    `HTTP/1.1 ${refusal.status} ${reason}`,
    `Date: ${new Date(answer.wallMs).toUTCString()}`,
    'Content-Type: application/problem+json',
    `Content-Length: ${body.length}`,
    'Cache-Control: no-store',
  ];
  if (refusal.status === 405) lines.push('Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS');
  if (answer.retryAfterS >= 0) lines.push(`Retry-After: ${answer.retryAfterS}`);
  if (refusal.status === 426) lines.push('Upgrade: websocket', `Sec-WebSocket-Version: ${WEB_SOCKET_VERSION}`);
  const options = [...(answer.close ? ['close'] : []), ...(refusal.status === 426 ? ['Upgrade'] : [])];
  if (options.length > 0) lines.push(`Connection: ${options.join(', ')}`);
  return ascii(`${lines.join('\r\n')}\r\n${limited?.lines ?? ''}\r\n${answer.head ? '' : body}`);
}

export const OPTIONS_STATUS = 204;

/** The answer to `OPTIONS` with `Max-Forwards: 0` (RFC 9110 §7.6.2): this gateway is the last to be asked. */
export function optionsAnswer(wallMs: number, close: boolean): Uint8Array<ArrayBuffer> {
  const date = new Date(wallMs).toUTCString();
  const connection = close ? 'Connection: close\r\n' : '';
  return ascii(
    `HTTP/1.1 ${OPTIONS_STATUS} No Content\r\nDate: ${date}\r\nAllow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n${connection}\r\n`,
  );
}
