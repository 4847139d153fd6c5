/** What a benchmark can be run against: one kind of proxy, started fresh for each case. */
import type { Certificate } from './certificate.ts';
import type { Origin } from './origin.ts';
import type { Processes } from './processes.ts';

export interface Setup {
  readonly processes: Processes;
  /** A folder of its own. */
  readonly dir: string;
  /** The proxy's core. */
  readonly core: string;
  readonly origin: Origin;
  readonly certificate: Certificate;
  /** Access log to a file, metrics and active health checks. */
  readonly everythingOn: boolean;
  /** Client connections it must hold at once. */
  readonly connections: number;
}

export interface Started {
  readonly port: number;
  readonly tlsPort: number;
  /** Where requests on a schedule go, if not to `port`. */
  readonly duePort?: number;
  /** The whole tree, at this moment. */
  pids(): number[];
  /** Where its metrics are read when everything is on. */
  readonly metricsUrl?: string;
  /** The access log it writes when everything is on. */
  readonly logFile?: string;
  /** What it has printed, where that is kept. */
  output?(): string;
  stop(): Promise<void>;
}

/** What a case may need that not every contender can do. */
export type Ability = 'proxy' | 'tls' | 'everything-on' | 'websocket';

export interface Contender {
  readonly name: string;
  readonly abilities: readonly Ability[];
  version(processes: Processes): Promise<string>;
  start(setup: Setup): Promise<Started>;
}
