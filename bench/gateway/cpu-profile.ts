/** Reads a V8 CPU profile (what `node --cpu-prof` writes): which functions the time was spent in. Pure. */

export interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
  }[];
  readonly samples: readonly number[];
  /** Microseconds before each sample. */
  readonly timeDeltas: readonly number[];
}

export interface SelfTime {
  readonly place: string;
  readonly us: number;
}

const WAITING = new Set(['(idle)', '(root)']);

/** Time spent in each function itself, without what it called, the longest first; waiting is left out. */
export function selfTimes(profile: CpuProfile): SelfTime[] {
  const places = new Map(
    profile.nodes.map(({ id, callFrame: { functionName, url, lineNumber } }) => {
      const file = url.replace(/^.*\/(src|bench|node_modules)\//, '$1/');
      const name = functionName === '' ? '(anonymous)' : functionName;
      return [id, file === '' ? name : `${name} ${file}:${lineNumber + 1}`];
    }),
  );
  const totals = new Map<string, number>();
  for (const [at, id] of profile.samples.entries()) {
    const place = places.get(id) ?? '(unknown)';
    // The time up to a sample belongs to the sample before it, by the format; over thousands of samples it is all one.
    if (!WAITING.has(place)) totals.set(place, (totals.get(place) ?? 0) + (profile.timeDeltas[at] ?? 0));
  }
  return [...totals].map(([place, us]) => ({ place, us })).toSorted((a, b) => b.us - a.us);
}
