/**
 * Endpoints from a file that somebody else writes: read when it changes, however it was changed (see `watch-files.ts`).
 *
 * Invariant: nothing is told after `close`.
 */
import type { Clock } from '../../../kernel/clock.ts';
import { formatMistake, type Mistake } from '../../config/index.ts';
import { type EndpointListPlace, readEndpointFile } from '../../config/endpoint-list.ts';
import { WatchFiles } from '../watch-files.ts';
import type { Outcome } from './knowledge.ts';
import type { Source } from './source.ts';

/** A list with a hundred mistakes is one mistake. */
const SHOWN_MAX = 5;

export interface FileSourceOptions {
  readonly clock: Clock;
  /** Absolute. */
  readonly path: string;
  readonly place: () => EndpointListPlace;
  readonly told: (outcome: Outcome) => void;
}

export class FileSource implements Source {
  readonly nextAtMs = null;
  readonly #options: FileSourceOptions;
  readonly #files: WatchFiles;
  #closed = false;

  constructor(options: FileSourceOptions) {
    this.#options = options;
    this.#files = new WatchFiles({ clock: options.clock, onChange: () => this.#read() });
    // Read after it is watched, so that no change falls in between.
    void this.#files.watch([options.path]).then(() => this.#read());
  }

  #read(): void {
    if (this.#closed) return;
    const { path, place, told } = this.#options;
    const read = readEndpointFile(path, place());
    if (typeof read === 'string') told({ endpoints: null, problem: `${path} ${read}` });
    else if (read.endpoints === null) told({ endpoints: null, problem: mistakesOf(read.mistakes) });
    else {
      const endpoints = read.endpoints.map((each) => ({ ...each, source: 'file' as const, identity: null }));
      told({ endpoints, problem: null });
    }
  }

  close(): void {
    this.#closed = true;
    this.#files.close();
  }
}

function mistakesOf(mistakes: readonly Mistake[]): string {
  const errors = mistakes.filter(({ severity }) => severity === 'error').map(formatMistake);
  const left = errors.length - SHOWN_MAX;
  return [...errors.slice(0, SHOWN_MAX), ...(left > 0 ? [`and ${left} more mistakes`] : [])].join('\n');
}
