/** What `GET /api/series` answers. Both ends import this file, so it imports nothing. */

/** As JSON. */
export interface SeriesAnswer {
  /** Wall time at which the first step begins. */
  readonly fromMs: number;
  readonly stepMs: number;
  /** Wall time of the answer: the step that holds it is not over. */
  readonly nowMs: number;
  /** Of each step, whether anything was sampled in it: if not, its zeros are not known to be any. */
  readonly sampled: readonly boolean[];
  readonly rows: readonly SeriesAnswerRow[];
  readonly more: number;
}

export type SeriesAnswerRow = { readonly labels: Readonly<Record<string, string>> } & (
  | { readonly kind: 'counter'; readonly values: readonly number[] }
  | { readonly kind: 'gauge'; readonly last: readonly number[]; readonly max: readonly number[] }
  | {
      readonly kind: 'histogram';
      readonly bounds: readonly (number | null)[];
      readonly steps: readonly ({
        readonly buckets: readonly number[];
        readonly counts: readonly number[];
        readonly sum: number;
      } | null)[];
    }
);
