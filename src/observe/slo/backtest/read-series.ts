/**
 * A recording from what a gateway kept by itself: the answer of `GET /api/series?name=spillway_slo_events&label.slo=ID`. Pure.
 *
 * Steps in which nothing was looked at are a gap, and the one that is not over yet is left out.
 */
import { SLO_EVENTS } from '../live/evaluator.ts';
import { type Slo, sloId } from '../objective.ts';
import type { Reading, RecordedStep, Recording } from './recording.ts';

/** As the answer begins, which lines of counters do not, though they may begin with a brace. */
export function isSeries(text: string): boolean {
  return /^\s*\{\s*"fromMs"/.test(text);
}

export function readSeries(text: string, file: string, slo: Slo): Reading<Recording> {
  const id = sloId(slo);
  const wrong = (message: string): Reading<Recording> => ({ ok: false, mistakes: [`${file}:1:1: ${message}`] });
  let given: unknown;
  try {
    given = JSON.parse(text);
  } catch {
    return wrong('it is not JSON, or was cut off');
  }
  const { fromMs, stepMs, nowMs, sampled, rows } = (given ?? {}) as Partial<Record<string, unknown>>;
  if (!isNumber(fromMs) || !isNumber(stepMs) || !isNumber(nowMs) || !Array.isArray(sampled) || !Array.isArray(rows)) {
    return wrong('it is no answer of GET /api/series: fromMs, stepMs, nowMs, sampled and rows are needed');
  }
  const own = rows.flatMap((row: unknown) => rowOf(row) ?? []).filter(({ labels }) => labels['slo'] === id);
  // The newest first: what was measured before an objective was changed is another thing.
  const measures = own[0]?.labels['measures'];
  const valuesOf = (outcome: string): readonly unknown[] =>
    own.find(({ labels }) => labels['measures'] === measures && labels['outcome'] === outcome)?.values ?? [];
  const [all, bad] = [valuesOf('all'), valuesOf('bad')];
  const steps = sampled.flatMap((isSampled: unknown, at): RecordedStep[] => {
    const endMs = fromMs + (at + 1) * stepMs;
    if (isSampled !== true || endMs > nowMs) return [];
    const [total, failed] = [count(all[at]), count(bad[at])];
    return [{ atS: endMs / 1000, good: Math.max(0, total - failed), bad: failed }];
  });
  if (all.length > 0 && steps.length > 1) return { ok: true, value: { steps } };
  return wrong(`it has no two steps of ${id}; ask for ?name=${SLO_EVENTS}&label.slo=${id}&from=-25d&step=5m`);
}

function rowOf(row: unknown): { readonly labels: Partial<Record<string, unknown>>; readonly values: unknown[] } | null {
  const { labels, values } = (row ?? {}) as Partial<Record<string, unknown>>;
  return typeof labels === 'object' && labels !== null && Array.isArray(values) ? { labels, values } : null;
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value);
}

function count(value: unknown): number {
  return isNumber(value) ? Math.max(0, value) : 0;
}
