/**
 * Another config in place of the one in force: read again, given, or one from before. One at a time, and of those that wait the newest; how
 * it is put in force is `enforcement.ts`.
 *
 * Invariant: whoever asks is told what became of it, by an outcome and never by an error; and so is `onOutcome`, once.
 */
import type { Clock } from '../../kernel/clock.ts';
import type { Pass } from '../../observe/slo/gate.ts';
import type { ConfigVersions } from './config-versions.ts';
import type { Enforcement } from './enforcement.ts';
import type { ReloadOutcome } from './events.ts';
import type { ReloadCause } from './gateway-state.ts';
import type { InTurn } from './in-turn.ts';
import { LatestWins } from './latest-wins.ts';
import type { ConfigSource } from './read-config.ts';

export type ReplacementJob =
  /** Null reads the same source again. */
  | {
      readonly kind: 'read';
      readonly cause: ReloadCause;
      readonly source: ConfigSource | null;
      readonly pass: Pass | null;
    }
  /** Null is the version before the one in force. */
  | { readonly kind: 'restore'; readonly cause: 'rollback'; readonly version: number | null };

interface ReplacementParts {
  readonly clock: Clock;
  /** No config is waited for any more. */
  readonly ending: AbortSignal;
  readonly turn: InTurn;
  readonly versions: ConfigVersions;
  readonly enforcement: Enforcement;
  readonly onOutcome: (outcome: ReloadOutcome) => void;
}

export class Replacement {
  readonly #parts: ReplacementParts;
  readonly #queue: LatestWins<ReplacementJob, ReloadOutcome>;
  #source: ConfigSource;

  constructor(source: ConfigSource, parts: ReplacementParts) {
    this.#source = source;
    this.#parts = parts;
    this.#queue = new LatestWins((job) => parts.turn.run(() => this.run(job)));
  }

  /** Where the config in force was read. */
  get source(): ConfigSource {
    return this.#source;
  }

  ask(job: ReplacementJob): Promise<ReloadOutcome> {
    return this.#queue.ask(job);
  }

  /** For whoever has the turn. */
  async run(job: ReplacementJob): Promise<ReloadOutcome> {
    const { enforcement, onOutcome } = this.#parts;
    const outcome = await this.#try(job)
      .finally(() => enforcement.retain())
      .catch((error: unknown): ReloadOutcome => {
        const reason = error instanceof Error ? error.message : String(error);
        return enforcement.refused(job.cause, reason, []);
      });
    if (outcome.kind !== 'refused' && job.kind === 'read') this.#source = job.source ?? this.#source;
    onOutcome(outcome);
    return outcome;
  }

  async #try(job: ReplacementJob): Promise<ReloadOutcome> {
    const { clock, ending, versions, enforcement } = this.#parts;
    const source = job.kind === 'read' ? (job.source ?? this.#source) : versions.source(job.version);
    const pass: Pass | null = job.kind === 'read' ? job.pass : { kind: 'rollback', text: '', by: '' };
    return enforcement.replace(await source.read(clock, ending), job.cause, pass);
  }
}
