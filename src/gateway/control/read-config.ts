/**
 * Where a gateway's config comes from: something that can be read again, and that each time either is a config or says
 * what is wrong with it. Hides whether it is a file or a value given by a program.
 */
import { resolve } from 'node:path';
import type { Clock } from '../../kernel/clock.ts';
import { SpillwayError, type ErrorCode } from '../../kernel/errors.ts';
import {
  formatMistake,
  loadConfig,
  resolveConfig,
  type Config,
  type ConfigInput,
  type Loaded,
} from '../config/index.ts';
import { isLoopback } from '../config/address.ts';
import { makesToken } from '../config/admin-grants.ts';
import type { AdminPlace } from '../admin/guard.ts';
import type { HeldToken } from '../admin/token-file.ts';

export interface ConfigSource {
  /** As it was named, or null for a config given as a value. */
  readonly file: string | null;
  /** Never throws; `signal` refuses one that takes its time. */
  read(clock: Clock, signal: AbortSignal): Promise<ConfigReading>;
}

export type ConfigReading =
  | {
      readonly kind: 'loaded';
      readonly config: Config;
      readonly warnings: readonly string[];
      /** Everything it was made from, absolute: when one changes, the config may have. */
      readonly files: readonly string[];
      /** The version of the config in force that this is again; null if it was read. */
      readonly restored: number | null;
    }
  | {
      readonly kind: 'refused';
      readonly code: ErrorCode;
      readonly reason: string;
      /** A line each, with its place. */
      readonly problems: readonly string[];
      readonly files: readonly string[];
    };

export function fileSource(file: string): ConfigSource {
  return { file, read: (clock, signal) => reading(file, () => loadConfig(file, { clock, signal })) };
}

export function valueSource(input: ConfigInput): ConfigSource {
  return { file: null, read: (clock) => reading('The config', async () => resolveConfig(input, { clock })) };
}

async function reading(name: string, load: () => Promise<Loaded>): Promise<ConfigReading> {
  try {
    const { config, mistakes, files } = await load();
    const lines = (severity: 'error' | 'warning'): string[] =>
      mistakes.filter((mistake) => mistake.severity === severity).map(formatMistake);
    if (config !== null) return { kind: 'loaded', config, warnings: lines('warning'), files, restored: null };
    const problems = lines('error');
    const count = problems.length === 1 ? 'a mistake' : `${problems.length} mistakes`;
    return { kind: 'refused', code: 'CONFIG_INVALID', reason: `${name} has ${count}.`, problems, files };
  } catch (error) {
    // Above all a file that is not there, or a config module that throws.
    const code = error instanceof SpillwayError ? error.code : 'CONFIG_INVALID';
    const reason = error instanceof Error ? error.message : String(error);
    return { kind: 'refused', code, reason, problems: [], files: [] };
  }
}

/** `held` is the token that the gateway has made; null before it has. */
export function adminPlace({ admin, adminGrants, folder }: Config, held: HeldToken | null): AdminPlace | null {
  if (admin === undefined) return null;
  const { address } = admin;
  const made = makesToken(admin) ? { file: held?.file ?? null } : null;
  const isUsed = made !== null && held !== null;
  const grants = isUsed ? [...adminGrants, { role: 'write' as const, token: held.text }] : adminGrants;
  if (address.kind === 'unix')
    return { at: { path: resolve(folder, address.path) }, policy: { grants, loopbackName: null, made } };
  const { host, port } = address;
  return { at: { host, port }, policy: { grants, loopbackName: isLoopback(host) ? host : null, made } };
}
