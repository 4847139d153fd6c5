/**
 * What stands in a ledger: facts about budgets, each written once and never changed. Pure.
 *
 * What turned out to be wrong is corrected by a further entry that names the wrong one. Times are wall time, for people and for
 * what is counted by it; the order is that of the entries, since a clock may be set back.
 */

/** A stretch of wall time; what happens at its end is no part of it. */
export interface Span {
  readonly fromMs: number;
  readonly toMs: number;
}

/** Counted events of one objective over a stretch: what spent its budget. */
export interface Spent extends Span {
  readonly kind: 'spent';
  /** Of the objective: `shop-availability`. */
  readonly slo: string;
  readonly good: number;
  readonly bad: number;
  /** It was spent faster than it lasts; else little by little, over up to a day. */
  readonly burst: boolean;
}

/** What somebody knows about a stretch of time, for one objective or, with null, for all. */
interface Told extends Span {
  readonly slo: string | null;
  readonly text: string;
  readonly by: string;
  /** The entry it takes the place of. */
  readonly corrects: string | null;
}

export type LedgerFact =
  | Spent
  /** What it was: changes no number. */
  | (Told & { readonly kind: 'incident' })
  /** Planned work: what happens in it counts for no budget. */
  | (Told & { readonly kind: 'maintenance' })
  /** A change was let through although a budget was frozen, or it was not known whether it should be. */
  | { readonly kind: 'passed'; readonly pass: 'override' | 'security-fix'; readonly text: string; readonly by: string }
  /** An entry that does not hold, and none in its place. */
  | { readonly kind: 'withdrawn'; readonly entry: string; readonly text: string; readonly by: string };

export type LedgerEntry = LedgerFact & {
  /** Unique whoever wrote it. */
  readonly id: string;
  /** When it was written. */
  readonly atMs: number;
};

/** A sentence or two; more belongs into a page that the text names. */
export const TEXT_MAX = 500;

/** Of every line, and nowhere within one: signs in a text have a backslash there. */
export const ENTRY_START = '{"id":"';

export function formatEntry({ id, ...rest }: LedgerEntry): string {
  return `${JSON.stringify({ id, ...rest })}\n`;
}

/** A line of a file; or why it is none. */
export function parseEntry(line: string): LedgerEntry | string {
  let given: unknown;
  try {
    given = JSON.parse(line);
  } catch {
    return 'it is not JSON, or was cut off';
  }
  if (typeof given !== 'object' || given === null || Array.isArray(given)) return 'it is not an entry';
  const entry = given as Readonly<Record<string, unknown>>;
  const fields = Object.hasOwn(fieldsOf, String(entry['kind'])) ? fieldsOf[entry['kind'] as LedgerFact['kind']] : null;
  if (fields === null) return `there is no kind ${JSON.stringify(entry['kind'])} of entry`;
  for (const [name, is] of Object.entries({ id: isText, atMs: isNumber, ...fields })) {
    if (!is(entry[name])) return `${name} is missing or is not what an entry has there`;
  }
  if ('fromMs' in fields && Number(entry['fromMs']) >= Number(entry['toMs'])) return 'it ends before it begins';
  return given as LedgerEntry;
}

type Check = (value: unknown) => boolean;
const isNumber: Check = (value) => typeof value === 'number' && Number.isFinite(value);
const isCount: Check = (value) => typeof value === 'number' && Number.isFinite(value) && value >= 0;
const isText: Check = (value) => typeof value === 'string' && value.length > 0 && value.length <= TEXT_MAX;
const isTextOrNull: Check = (value) => value === null || isText(value);
const span = { fromMs: isNumber, toMs: isNumber };
const told = { ...span, slo: isTextOrNull, text: isText, by: isText, corrects: isTextOrNull };

const fieldsOf: Readonly<Record<LedgerFact['kind'], Readonly<Record<string, Check>>>> = {
  spent: { ...span, slo: isText, good: isCount, bad: isCount, burst: (value) => typeof value === 'boolean' },
  incident: told,
  maintenance: told,
  passed: { pass: (value) => value === 'override' || value === 'security-fix', text: isText, by: isText },
  withdrawn: { entry: isText, text: isText, by: isText },
};
