/** Reads the body of `POST /api/explain`: what came over the wire, checked field by field before anything uses it. */
import { addressFrom } from '../../kernel/ip-address.ts';
import type { ExplainRequest } from '../l7/explain-request.ts';

const MEMBERS = ['method', 'url', 'headers', 'listener', 'client'];

type Field = readonly [name: string, value: string];

/** Throws TypeError with a sentence for the caller. */
export function readExplainRequest(value: unknown): ExplainRequest {
  if (!isRecord(value)) throw new TypeError('The body must be a JSON object with method and url.');
  const unknown = Object.keys(value).find((key) => !MEMBERS.includes(key));
  if (unknown !== undefined) {
    throw new TypeError(`There is no member ${JSON.stringify(unknown)}; there are ${MEMBERS.join(', ')}.`);
  }
  const { method = 'GET', url, headers = [], listener, client } = value;
  if (typeof method !== 'string') throw new TypeError('method must be a string such as "GET".');
  if (typeof url !== 'string') throw new TypeError('url must be a string such as "https://shop.example/api/x".');
  if (listener !== undefined && typeof listener !== 'string')
    throw new TypeError('listener must be the name of a listener.');
  if (client !== undefined && (typeof client !== 'string' || addressFrom(client) === null))
    throw new TypeError('client must be an address such as "203.0.113.7".');
  const told = { ...(listener === undefined ? {} : { listener }), ...(client === undefined ? {} : { client }) };
  return { method, url, headers: readFields(headers), ...told };
}

/** An object of names to a value or to several, or a list of [name, value]. */
function readFields(headers: unknown): Field[] {
  if (Array.isArray(headers)) return headers.map(readPair);
  if (!isRecord(headers)) throw new TypeError('headers must be an object, or a list of [name, value].');
  return Object.entries(headers).flatMap(([name, value]) =>
    (Array.isArray(value) ? value : [value]).map((one) => readPair([name, one])),
  );
}

function readPair(pair: unknown): Field {
  const [name, value] = Array.isArray(pair) && pair.length === 2 ? (pair as readonly unknown[]) : [];
  if (typeof name !== 'string' || typeof value !== 'string') {
    throw new TypeError('A header must be a name and a value, both strings.');
  }
  return [name, value];
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
