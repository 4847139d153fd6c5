/**
 * A place that checks fencing tokens: what makes a lock safe where a lease alone cannot. It keeps a text and the token of who wrote it, and
 * refuses whoever comes with a smaller one. For SQL, Redis and files there is one each; what your own resource has to do is the same
 * comparison, in the same step as the write.
 */
export interface Fenced {
  readonly value: string;
  /** Of the last writer. */
  readonly token: bigint;
}

export interface FencedRegister {
  /** What was written last; null if nothing was. */
  read(key: string, options?: { readonly signal?: AbortSignal }): Promise<Fenced | null>;
  /** Writes unless a greater token has written before, in one step; false if one has, and nothing is changed. */
  write(key: string, fenced: Fenced, options?: { readonly signal?: AbortSignal }): Promise<boolean>;
}
