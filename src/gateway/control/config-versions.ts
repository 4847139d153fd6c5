/**
 * The configs that were in force, newest last, so that one can be put back. Kept in memory by the control thread.
 *
 * Invariants: numbers grow by one with each applied config and are never used again; at most `VERSIONS_MAX` are kept, and the
 * last is the one in force. Cost: a config and what it was made from, some 10 KB each; a large one with a thousand
 * certificates some MB.
 */
import { configText, diffConfigs, fingerprint, type Config } from '../config/index.ts';
import type { ConfigVersionState, ReloadCause } from './gateway-state.ts';
import type { InForce } from './in-force.ts';
import type { ConfigSource } from './read-config.ts';

/** A bad day's reloads; further back than that nobody goes without looking at the file. */
const VERSIONS_MAX = 20;
/** The first lines tell what a reload was about; all of them, of 10,000 routes, nobody reads. */
const CHANGES_MAX = 100;

interface Version {
  readonly state: ConfigVersionState;
  readonly config: Config;
  readonly files: readonly string[];
}

export interface Origin {
  readonly cause: ReloadCause | 'start';
  /** The version it puts back. */
  readonly restored: number | null;
  readonly wallMs: number;
}

export class ConfigVersions {
  #versions: Version[] = [];

  /** Of the config in force; 0 before the first. */
  get current(): number {
    return this.#versions.at(-1)?.state.version ?? 0;
  }

  /** Newest first. */
  get states(): readonly ConfigVersionState[] {
    return this.#versions.map(({ state }) => state).toReversed();
  }

  /** What it says, as YAML, secrets left out; null if it is not kept. */
  text(version: number): string | null {
    const found = this.#versions.find(({ state }) => state.version === version);
    return found === undefined ? null : configText(found.config);
  }

  /** A config has been put into force; `before` is the one it took the place of. Returns all lines of what it changed. */
  add(next: InForce, before: InForce | null, { cause, restored, wallMs }: Origin): readonly string[] {
    const changes = before === null ? [] : diffConfigs(before, next);
    const left = changes.length - CHANGES_MAX;
    const state: ConfigVersionState = {
      version: this.current + 1,
      fingerprint: fingerprint(next.config),
      appliedAt: new Date(wallMs).toISOString(),
      cause,
      restored,
      changes: left > 0 ? [...changes.slice(0, CHANGES_MAX), `… and ${left} more changes`] : changes,
    };
    this.#versions = [...this.#versions, { state, config: next.config, files: next.files }].slice(-VERSIONS_MAX);
    return changes;
  }

  /**
   * Reads a version that was in force; null is the one before the current. Who may call the admin API stays as it is: going
   * back must not let in again whoever was shut out since, nor shut out whoever asked for it.
   */
  source(version: number | null): ConfigSource {
    const current = this.#versions.at(-1);
    const found =
      version === null ? this.#versions.at(-2) : this.#versions.find(({ state }) => state.version === version);
    return {
      file: null,
      read: async () => {
        if (found === undefined || current === undefined) return this.#missing(version);
        const { admin, adminGrants } = current.config;
        const { admin: _, ...others } = found.config;
        const config: Config = { ...others, adminGrants, ...(admin === undefined ? {} : { admin }) };
        const files = [...new Set([...current.files, ...found.files])];
        return { kind: 'loaded', config, warnings: [], files, restored: found.state.version };
      },
    };
  }

  #missing(version: number | null): Awaited<ReturnType<ConfigSource['read']>> {
    const oldest = this.#versions[0]?.state.version ?? 0;
    const kept = oldest === this.current ? `only ${oldest} is` : `${oldest} to ${this.current} are`;
    const wanted = version === null ? 'no config before this one' : `no config ${version}`;
    const reason = `There is ${wanted} to go back to: ${kept} kept.`;
    return { kind: 'refused', code: 'CONFIG_NOT_FOUND', reason, problems: [], files: [] };
  }
}
