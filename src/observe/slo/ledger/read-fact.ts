/** What somebody wants to have in the ledger, as JSON: an incident, planned work, or that an entry does not hold. Pure. */
import type { LedgerEntry, LedgerFact } from './entry.ts';
import { TEXT_MAX } from './entry.ts';
import { entriesInForce } from './ledger.ts';

export const factExample =
  '{"kind": "maintenance", "from": "2026-12-01T22:00:00Z", "to": "2026-12-01T23:00:00Z", "slo": "shop-availability", "text": "why"}';

const DAY_MS = 86_400_000;
/** Longer than this nothing is down as planned. */
const MAINTENANCE_DAYS_MAX = 7;
/** Of the longest window of an objective; and a year ahead. */
const DAYS = { back: 90, ahead: 366 };

export interface FactWorld {
  /** Ids of the objectives there are. */
  readonly slos: readonly string[];
  readonly entries: readonly LedgerEntry[];
  readonly nowMs: number;
}

const keys = ['kind', 'slo', 'from', 'to', 'text', 'by', 'corrects', 'entry'] as const;

/** Or a sentence on what is wrong with it, and what to do. */
export function readFact(given: unknown, world: FactWorld): LedgerFact | string {
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    return `An entry is JSON such as ${factExample}.`;
  const unknown = Object.keys(given).find((key) => !keys.some((known) => known === key));
  if (unknown !== undefined) return `There is no key ${JSON.stringify(unknown)}; there are ${keys.join(', ')}.`;
  const fields: Partial<Record<Key, unknown>> = given;
  const { kind, slo = null, text, by = 'unknown', corrects = null, entry } = fields;
  const problem = textProblem('text', text) ?? textProblem('by', by);
  if (problem !== null) return problem;
  const who = { text: String(text), by: String(by) };
  if (kind === 'withdrawn') {
    return entryProblem('entry', entry, world) ?? { kind, entry: String(entry), ...who };
  }
  if (kind !== 'incident' && kind !== 'maintenance') return 'kind is incident, maintenance or withdrawn.';
  if (slo !== null && !world.slos.some((id) => id === slo)) {
    const names = world.slos.length === 0 ? 'none' : world.slos.slice(0, 20).join(', ');
    return `There is no objective ${JSON.stringify(slo)}; there are ${names}. Without slo it is for all.`;
  }
  if (corrects !== null) {
    const wrong = entryProblem('corrects', corrects, world);
    if (wrong !== null) return wrong;
  }
  const span = readSpan(fields, kind, world.nowMs);
  if (typeof span === 'string') return span;
  return { kind, slo: slo as string | null, ...span, ...who, corrects: corrects as string | null };
}

type Key = (typeof keys)[number];

function readSpan(
  { from, to }: Partial<Record<Key, unknown>>,
  kind: string,
  nowMs: number,
): { readonly fromMs: number; readonly toMs: number } | string {
  const [fromMs, toMs] = [readTime(from), readTime(to)];
  if (fromMs === null || toMs === null) {
    return `${fromMs === null ? 'from' : 'to'} must be a time with its zone, such as 2026-12-01T22:00:00Z.`;
  }
  if (fromMs >= toMs) return 'from must be before to.';
  if (kind === 'maintenance' && toMs - fromMs > MAINTENANCE_DAYS_MAX * DAY_MS) {
    return `Planned work takes at most ${MAINTENANCE_DAYS_MAX} days; what is longer is no work but another objective.`;
  }
  if (fromMs < nowMs - DAYS.back * DAY_MS || toMs > nowMs + DAYS.ahead * DAY_MS) {
    return `from is at most ${DAYS.back} days ago and to at most ${DAYS.ahead} days ahead.`;
  }
  return { fromMs, toMs };
}

/** RFC 3339; null for anything else. */
export function readTime(given: unknown): number | null {
  const pattern = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?([Zz]|[+-]\d\d:\d\d)$/;
  const ms = typeof given === 'string' && pattern.test(given) ? Date.parse(given) : Number.NaN;
  return Number.isNaN(ms) ? null : ms;
}

/** One line that a terminal may show. */
export function textProblem(name: string, given: unknown): string | null {
  const isText = typeof given === 'string' && /\S/.test(given) && /^[^\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+$/u.test(given);
  return isText && given.length <= TEXT_MAX
    ? null
    : `${name} must be a text of one line with at most ${TEXT_MAX} characters.`;
}

function entryProblem(name: string, given: unknown, { entries }: FactWorld): string | null {
  if (entries.some(({ id }) => id === given)) {
    if (entriesInForce(entries).some(({ id }) => id === given)) return null;
    return `The entry ${JSON.stringify(given)} does not hold any more; name the one that took its place.`;
  }
  return `${name} must be the id of an entry; there is none ${JSON.stringify(given ?? null)}.`;
}
