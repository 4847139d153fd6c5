/** What rules may know beside the config: this machine, and the moment. */
import type { FileSet } from './pem.ts';

export interface RuleContext {
  readonly files: FileSet;
  /** For secrets that are kept in it. */
  readonly environment: NodeJS.ProcessEnv;
  /** Wall time: for certificates. */
  readonly nowMs: number;
  /** This machine's own addresses: for loops. */
  readonly ownAddresses: readonly string[];
  /** This machine's passwd(5). */
  readonly accounts: string;
  /** Cores that this process may use. */
  readonly cores: number;
  /** The package to reach Redis with; null if none is installed. */
  readonly redisClient: string | null;
}
