/**
 * Routes that can never match, because another one takes each of their requests first.
 *
 * The order among routes that match (router.ts) leaves one way to be hidden: an earlier route of the same host and path asks for the
 * same things, and takes every value that this one takes. One that asks for less comes later than one that asks for more, and one
 * of another host or path has requests of its own. What regular expressions take is compared by their text, but for a fixed value,
 * which can be tried.
 *
 * Cost: O(1) a route that asks for single values; one that takes several is compared with others of its kind.
 */
import { RegexMatcher } from '../routing/regex.ts';
import type { RoutePlan, ValueMatch } from '../snapshot.ts';

type Match = RoutePlan['match'];

interface Claim {
  readonly index: number;
  readonly match: Match;
}

export interface Hidden {
  /** The route that takes its requests; of several, the first. */
  readonly by: number;
  /** The two match the same; else the other takes more. */
  readonly same: boolean;
}

export class HiddenRoutes {
  /** By host, path and everything that is asked. */
  readonly #twins = new Map<string, Claim[]>();
  /** Those that take more than one value of something, by host, path and what they ask for. */
  readonly #wide = new Map<string, Claim[]>();

  /** In the order of the file. Null if nothing hides it. */
  add(index: number, match: Match): Hidden | null {
    const claim = { index, match };
    const [place, whole] = [JSON.stringify(placeOf(match)), JSON.stringify(canonical(match))];
    const twins = this.#twins.get(whole) ?? [];
    const wide = this.#wide.get(place) ?? [];
    this.#twins.set(whole, [...twins, claim]);
    if (isWide(match)) this.#wide.set(place, [...wide, claim]);
    const hiders = [...twins, ...wide.filter((other) => !twins.includes(other) && takesAll(other.match, match))];
    const by = winnerOf(hiders, match.listeners);
    return by === null ? null : { by: by.index, same: twins.includes(by) };
  }
}

/** Of those who take its requests, the first, if together they do so on all its listeners. */
function winnerOf(hiders: readonly Claim[], listeners: readonly string[] | null): Claim | null {
  const first = hiders.toSorted((a, b) => a.index - b.index);
  const everywhere = first.find(({ match }) => match.listeners === null);
  if (everywhere !== undefined || listeners === null) return everywhere ?? null;
  const takes = ({ match }: Claim, listener: string): boolean => match.listeners?.includes(listener) ?? true;
  const isTaken = listeners.every((listener) => first.some((claim) => takes(claim, listener)));
  return isTaken ? (first.find((claim) => takes(claim, listeners[0] ?? '')) ?? null) : null;
}

/** Host and path, and what is asked for beyond, without the values. Names in a path only say what is captured. */
function placeOf({ host, path, pathRegex, ...asked }: Match): unknown {
  const names = (values: readonly ValueMatch[], fold: boolean): string[] =>
    values.map(({ name }) => (fold ? name.toLowerCase() : name)).toSorted();
  return [
    host,
    path?.replaceAll(/\{\w+\}/g, '{}') ?? null,
    pathRegex,
    [asked.methods, asked.contentTypes, asked.clients].map((list) => list !== null),
    [names(asked.headers, true), names(asked.query, false), names(asked.cookies, false)],
  ];
}

function canonical(match: Match): unknown {
  const values = (asked: readonly ValueMatch[], fold: boolean): unknown[] =>
    asked.map(({ name, ...rest }) => JSON.stringify([fold ? name.toLowerCase() : name, rest])).toSorted();
  const lists = [match.methods, match.contentTypes?.map((type) => type.toLowerCase()) ?? null, match.clients];
  return [
    placeOf(match),
    lists.map((list) => list?.toSorted() ?? null),
    [values(match.headers, true), values(match.query, false), values(match.cookies, false)],
  ];
}

function isWide({ methods, contentTypes, clients, headers, query, cookies }: Match): boolean {
  return (
    (methods?.length ?? 0) > 1 ||
    contentTypes !== null ||
    (clients?.length ?? 0) > 1 ||
    [...headers, ...query, ...cookies].some(({ kind }) => kind === 'present' || kind === 'prefix' || kind === 'regex')
  );
}

/** Whether `wide` takes each request that `narrow` takes; both are of one place. */
function takesAll(wide: Match, narrow: Match): boolean {
  const holds = (list: readonly string[] | null, others: readonly string[] | null, takes = same): boolean =>
    (others ?? []).every((other) => list?.some((one) => takes(one, other)) === true);
  return (
    holds(wide.methods, narrow.methods) &&
    holds(wide.contentTypes, narrow.contentTypes, takesType) &&
    holds(wide.clients, narrow.clients) &&
    takesValues(wide.headers, narrow.headers, true) &&
    takesValues(wide.query, narrow.query, false) &&
    takesValues(wide.cookies, narrow.cookies, false)
  );
}

function same(a: string, b: string): boolean {
  return a === b;
}

/** `image/*` takes `image/png`. */
function takesType(type: string, other: string): boolean {
  const [wide, narrow] = [type.toLowerCase(), other.toLowerCase()];
  return wide === narrow || (wide.endsWith('/*') && narrow.startsWith(wide.slice(0, -1)));
}

function takesValues(wide: readonly ValueMatch[], narrow: readonly ValueMatch[], fold: boolean): boolean {
  const nameOf = ({ name }: ValueMatch): string => (fold ? name.toLowerCase() : name);
  return wide.every((asked) => narrow.some((other) => nameOf(other) === nameOf(asked) && takesValue(asked, other)));
}

function takesValue(wide: ValueMatch, narrow: ValueMatch): boolean {
  if (!('value' in wide)) return (wide.kind === 'absent') === (narrow.kind === 'absent');
  if (!('value' in narrow)) return false;
  if (wide.kind === narrow.kind && wide.value === narrow.value) return true;
  if (wide.kind === 'prefix') return narrow.kind !== 'regex' && narrow.value.startsWith(wide.value);
  if (wide.kind === 'equals' || narrow.kind !== 'equals') return false;
  const bytes = Buffer.from(narrow.value);
  return new RegexMatcher(wide.value).test(bytes, 0, bytes.length);
}
