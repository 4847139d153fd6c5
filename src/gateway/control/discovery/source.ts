/** Something that goes on telling what it finds until it is closed. */
export interface Source {
  /** When it is asked again, on the clock; null if it tells by itself. */
  readonly nextAtMs: number | null;
  /** Idempotent. */
  close(): void;
}
