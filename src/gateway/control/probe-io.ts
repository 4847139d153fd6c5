/** What a check asks and of whom, and how its input and output tell what they have met. */
import type { LookupFunction } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import type { CheckResult, HttpExpectation, TcpExpectation } from '../../health/index.ts';

/** What is asked, and what the answer must be. Plain data: services that ask the same are told from others by it. */
export type ProbeKind =
  | {
      readonly type: 'http';
      readonly method: string;
      readonly path: string;
      /** Value of the Host field; null is the address itself. */
      readonly host: string | null;
      readonly fields: Readonly<Record<string, string>>;
      readonly expectation: HttpExpectation;
    }
  | { readonly type: 'tcp'; readonly expectation: TcpExpectation }
  | {
      readonly type: 'grpc';
      /** Of which service; empty is the server as a whole. */
      readonly service: string;
      /** `:authority`; null is the address itself. */
      readonly host: string | null;
      readonly fields: Readonly<Record<string, string>>;
    };

export type ProbeOf<Type extends ProbeKind['type']> = Extract<ProbeKind, { readonly type: Type }>;

/** Where to ask, and how to get there. */
export interface ProbeTarget {
  readonly host: string;
  readonly port: number;
  /** Null is a plain connection. */
  readonly tls: ConnectionOptions | null;
  readonly lookup: LookupFunction;
}

export interface Probe extends ProbeTarget {
  readonly timeoutMs: number;
  readonly kind: ProbeKind;
}

/** How the I/O of a check tells what it has met. */
export interface ProbeEvents {
  readonly onConnect: () => void;
  /** May be called again; only the first call counts. Null: the reason is ours and says nothing about the endpoint. */
  readonly settle: (result: CheckResult | null) => void;
}

/** The I/O of a check under way. */
export interface ProbeIo {
  destroy(): void;
  /** What an answer that is not complete comes to when its time is over; null or absent: it counts as none. */
  unfinished?(): CheckResult | null;
}
