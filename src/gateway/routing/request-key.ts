/**
 * The key of a request: what makes two requests the same for a balancer that hashes, or for a split.
 *
 * The hash is XXH64's upper word, which is what `spillway/ring` places a key by: where the gateway sends `?user=42` can be looked up
 * with the library. Of a client the key is its IPv4 address, or the /64 of an IPv6 one, within which one device changes its
 * address daily.
 *
 * Cost: one hash, and a pass over the fields, the query or the cookies to find the value.
 */
import { xxh64 } from '../../kernel/xxh64.ts';
import type { KeySource } from '../key-source.ts';
import { nameOf, type Some, someCookie, someField, someParameter, type Takes } from './request-values.ts';
import type { RoutedRequest } from './routed-request.ts';

export interface RequestKey {
  /** Of the last request that had the key. */
  readonly hash: number;
  /** Reads the key of `request` into `hash`; false if it has none, or an empty one. */
  read(request: RoutedRequest): boolean;
}

export function createRequestKey(source: KeySource): RequestKey {
  switch (source.kind) {
    case 'client':
      return new ClientKey();
    case 'path':
      return new PathKey();
    case 'header':
      return new NamedKey(source.name, someField);
    case 'query':
      return new NamedKey(source.name, someParameter);
    case 'cookie':
      return new NamedKey(source.name, someCookie);
    default:
      return source satisfies never;
  }
}

class ClientKey implements RequestKey {
  hash = 0;
  readonly #bytes = new Uint8Array(8);
  readonly #view = new DataView(this.#bytes.buffer);
  readonly #ipv4 = this.#bytes.subarray(0, 4);

  read({ client }: RoutedRequest): boolean {
    const { words, isIpv4 } = client;
    this.#view.setInt32(0, words[isIpv4 ? 3 : 0]!);
    this.#view.setInt32(4, words[1]!);
    this.hash = xxh64(isIpv4 ? this.#ipv4 : this.#bytes);
    return true;
  }
}

class PathKey implements RequestKey {
  hash = 0;

  read({ path }: RoutedRequest): boolean {
    this.hash = xxh64(path.bytes.subarray(path.start, path.end));
    return true;
  }
}

class NamedKey implements RequestKey {
  hash = 0;
  readonly #name;
  readonly #some: Some;
  readonly #takes: Takes = (bytes, from, to) => {
    if (from === to) return false;
    this.hash = xxh64(bytes.subarray(from, to));
    return true;
  };

  constructor(name: string, some: Some) {
    this.#name = nameOf(name);
    this.#some = some;
  }

  read({ head }: RoutedRequest): boolean {
    return this.#some(head, this.#name, this.#takes);
  }
}
