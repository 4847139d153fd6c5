/**
 * Affinity by cookie: a client stays at the endpoint that answered it first.
 *
 * The cookie's value is the endpoint's `pin`, a MAC of its name that is computed once, when the config is. So nobody can make up
 * one, it tells nothing of the servers, and it means the same after a reload, after a restart and at every gateway with the
 * same secret. It is honoured while its endpoint drains or has weight 0; when the endpoint is down or gone the client is balanced
 * and pinned anew.
 *
 * Cost: a pass over the cookies, a map look-up and a short string for each request of a service with affinity.
 */
import { ascii } from '../../kernel/bytes.ts';
import { nameOf, someCookie, type Takes } from '../routing/request-values.ts';
import type { AffinityPlan, EndpointPlan } from '../snapshot.ts';
import type { Head } from './head.ts';

/** Longer values are nobody's pin. */
const PIN_MAX = 64;

export class Affinity {
  readonly #name;
  readonly #places = new Map<string, number>();
  readonly #fields: readonly { readonly plain: Uint8Array; readonly secure: Uint8Array }[];
  #found = -1;
  readonly #takes: Takes = (bytes, from, to) => {
    if (to - from > PIN_MAX) return false;
    this.#found = this.#places.get(String.fromCharCode(...bytes.subarray(from, to))) ?? -1;
    return this.#found >= 0;
  };

  constructor(plan: AffinityPlan, endpoints: readonly EndpointPlan[]) {
    this.#name = nameOf(plan.cookie);
    this.#fields = endpoints.map(({ pin }, index) => {
      if (pin !== null) this.#places.set(pin, index);
      const line = `Set-Cookie: ${plan.cookie}=${pin ?? ''}${plan.attributes}`;
      const plain = ascii(`${line}${plan.secure === 'always' ? '; Secure' : ''}\r\n`);
      return { plain, secure: plan.secure === 'auto' ? ascii(`${line}; Secure\r\n`) : plain };
    });
  }

  /** The index of the endpoint that the request is pinned to, or -1. */
  find(head: Head): number {
    this.#found = -1;
    someCookie(head, this.#name, this.#takes);
    return this.#found;
  }

  /** The field that pins a client, line break included. `overTls`: that is how the client came. */
  field(index: number, overTls: boolean): Uint8Array {
    const fields = this.#fields[index];
    if (fields === undefined) throw new RangeError(`Endpoint ${index} of ${this.#fields.length}.`);
    return overTls ? fields.secure : fields.plain;
  }
}
