/** What is used of peers that bring no types, or none that their `exports` let through. */

declare module 'redlock' {
  interface Lock {
    unlock(): PromiseLike<void>;
  }
  export default class Redlock {
    constructor(clients: readonly unknown[], options: { readonly retryCount: number });
    lock(resource: string, ttlMs: number): PromiseLike<Lock>;
    on(event: 'clientError', listener: (error: Error) => void): void;
  }
}

declare module 'redlock-5' {
  interface Lock {
    release(): Promise<unknown>;
  }
  export default class Redlock {
    constructor(clients: readonly unknown[], settings: { readonly retryCount: number });
    acquire(resources: readonly string[], durationMs: number): Promise<Lock>;
    on(event: 'error', listener: (error: Error) => void): void;
  }
}
