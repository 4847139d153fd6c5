/**
 * The kinds of value that only the gateway's config has: addresses, ranges, what tells requests apart. As those of
 * `src/reading/values.ts`: each a zod schema from what people write to what the gateway uses.
 */
import * as z from 'zod';
import { expects, type Problem } from '../../reading/values.ts';
import type { KeySource } from '../key-source.ts';
import { type Address, parseAddress, parseRange, type Refused } from './address.ts';

/** Where the admin API is. */
export type AdminAddress =
  | (Address & { readonly kind: 'tcp' })
  | { readonly kind: 'unix'; readonly path: string; readonly text: string };

/** `host:port` to listen on, or `unix:PATH`. */
export function adminAddress(): z.ZodType<AdminAddress, string> {
  const what = 'an address to listen on, such as 127.0.0.1:9900, or unix:PATH';
  return addressOf<AdminAddress>(what, '127.0.0.1:9900', (text) => {
    const path = /^unix:([^\p{Cc}]+)$/u.exec(text)?.[1];
    if (path !== undefined) return { ok: true, address: { kind: 'unix', path, text } };
    const parsed = parseAddress(text, 'listen');
    return parsed.ok ? { ok: true, address: { kind: 'tcp', ...parsed.address } } : parsed;
  });
}

/** `host:port`. `listen` allows a host to be left out and port 0; an endpoint needs both. */
export function address(use: 'listen' | 'connect'): z.ZodType<Address, string> {
  const what =
    use === 'listen'
      ? 'an address to listen on, such as 127.0.0.1:8080, :8080 or "[::1]:8080"'
      : 'host:port, such as 127.0.0.1:9001, shop.internal:80 or "[::1]:9001"';
  return addressOf(what, use === 'listen' ? '127.0.0.1:8080' : '127.0.0.1:9001', (text) => parseAddress(text, use));
}

function addressOf<T>(
  what: string,
  example: string,
  parse: (text: string) => { readonly ok: true; readonly address: T } | Refused,
): z.ZodType<T, string> {
  return z
    .string(expects(what))
    .max(300, expects(what))
    .meta({ examples: [example] })
    .transform((text, context) => {
      const parsed = parse(text);
      if (parsed.ok) return parsed.address;
      const problem: Problem = { expected: parsed.expected ?? what, suggestion: parsed.suggestion };
      context.addIssue({ code: 'custom', params: { ...problem } });
      return z.NEVER;
    });
}

/** A CIDR range such as `10.0.0.0/8`; a single address stands for itself. */
export function range(): z.ZodType<string, string> {
  const what = 'an address range such as 10.0.0.0/8, fd00::/8 or 192.0.2.7';
  return z
    .string(expects(what))
    .meta({ examples: ['10.0.0.0/8'] })
    .transform((text, context) => {
      const parsed = parseRange(text);
      if (parsed.ok) return parsed.range;
      const problem: Problem = { expected: parsed.expected ?? what, suggestion: parsed.suggestion };
      context.addIssue({ code: 'custom', params: { ...problem } });
      return z.NEVER;
    });
}

/** What makes two requests the same: `client`, `path`, `header:NAME`, `query:NAME` or `cookie:NAME`. */
export function keySource(): z.ZodType<KeySource, string> {
  const what = 'client, path, header:NAME, query:NAME or cookie:NAME';
  return z
    .string(expects(what))
    .max(300, expects(what))
    .meta({ examples: ['client', 'cookie:session'] })
    .transform((text, context): KeySource => {
      if (text === 'client' || text === 'path') return { kind: text };
      const [, kind, name = ''] = /^(header|query|cookie):([!#$%&'*+\-.^_`|~0-9A-Za-z]+)$/.exec(text) ?? [];
      if (kind === 'header' || kind === 'query' || kind === 'cookie') return { kind, name };
      context.addIssue({ code: 'custom', params: { expected: what } });
      return z.NEVER;
    });
}
