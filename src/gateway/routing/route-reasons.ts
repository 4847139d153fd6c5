/**
 * Why a route wins or loses, in words. The router decides; this file only says why, one route at a time, so it can afford
 * to be slow and plain. A property test holds the two together.
 */
import type { RoutePlan } from '../snapshot.ts';
import { createConditions } from './condition.ts';
import { comparePathPatterns, parsePathPattern } from './path-pattern.ts';
import type { RoutedRequest } from './routed-request.ts';
import { hostPattern } from './router.ts';

export interface RouteVerdict {
  readonly name: string;
  /** As `describeMatch` says it. */
  readonly match: string;
  readonly wins: boolean;
  readonly reason: string;
}

type Match = RoutePlan['match'];

export interface JudgedRequest {
  readonly listener: string;
  /** Lower case, without port and final dot. */
  readonly host: string;
  /** In its normal form. */
  readonly path: string;
  readonly routed: RoutedRequest;
}

/** A plan is never changed, and state is asked for often: the words of its conditions are found once. */
const described = new WeakMap<Match, string>();

/** `shop.example /api/*`; `any host`, `any path` where nothing is asked. */
export function describeMatch(match: Match): string {
  const words = described.get(match) ?? wordsOf(match);
  described.set(match, words);
  return words;
}

function wordsOf(match: Match): string {
  const parts = [hostPattern(match) ?? 'any host', match.path ?? (match.pathRegex === null ? 'any path' : '')];
  parts.push(
    createConditions(match)
      .map(({ words }) => words)
      .join(' and '),
  );
  if (match.listeners !== null) parts.push(`on ${match.listeners.join(', ')}`);
  return parts.filter((part) => part !== '').join(' ');
}

/** Why `match` does not take the request, or null if it does. */
export function whyNoMatch(match: Match, { listener, host, path, routed }: JudgedRequest): string | null {
  if (match.listeners !== null && !match.listeners.includes(listener)) {
    return `it is only for listener ${match.listeners.join(', ')}, and this is ${listener}`;
  }
  const place = whyNotHost(hostPattern(match), host) ?? whyNotPath(match.path, path);
  if (place !== null) return place;
  const unmet = createConditions(match).find((condition) => !condition.holds(routed));
  return unmet === undefined ? null : `it asks that ${unmet.words}, and that is not so`;
}

function whyNotHost(pattern: string | null, host: string): string | null {
  if (pattern === null) return null;
  if (!pattern.startsWith('*.')) return host === pattern ? null : `host ${host || '(none)'} is not ${pattern}`;
  const suffix = pattern.slice(1);
  if (host.endsWith(suffix) && host.length > suffix.length) return null;
  if (host === suffix.slice(1)) return `host ${host} is not below itself: ${pattern} asks for at least one label more`;
  return `host ${host || '(none)'} does not end in ${suffix}`;
}

function whyNotPath(text: string | null, path: string): string | null {
  if (text === null) return null;
  const { segments, open } = parsePathPattern(text);
  if (!path.startsWith('/')) return `path ${path || '(none)'} is not below /`;
  const given = path.slice(1).split('/');
  const at = segments.findIndex((segment, index) => (segment === null ? !given[index] : given[index] !== segment));
  if (at < 0 && (open || given.length === segments.length)) return null;
  if (!text.includes('{') && !open) return `path ${path} is not ${text}`;
  if (at < 0) return `path ${path} goes on where ${text} ends`;
  const prefix = text.slice(0, -2);
  if (!text.includes('{') && prefix !== '' && path.startsWith(prefix)) {
    return `path ${path} begins with ${prefix} but not on a segment: ${text} takes ${prefix} and ${prefix}/…`;
  }
  if (!text.includes('{')) return `path ${path} does not begin with ${prefix}/`;
  if (given[at] === undefined) return `path ${path} ends before ${text} does`;
  return segments[at] === null
    ? `segment ${at + 1} of path ${path} is empty, and ${text} has a name there`
    : `segment ${at + 1} of path ${path} is ${given[at]} and not ${segments[at]}`;
}

/** Why `loser`, which matches as well, comes after `winner`: the first step of precedence in which they differ. */
function whyOutranked(loser: Match, winner: Match): string {
  return (
    hostOutranked(hostPattern(loser), hostPattern(winner)) ??
    pathOutranked(loser, winner) ??
    (createConditions(loser).length < createConditions(winner).length
      ? 'it matches, but the winner asks for more'
      : 'it matches as precisely, but comes later in the file')
  );
}

/** Exact before wildcard, the longer wildcard before the shorter, any last. */
function hostOutranked(loser: string | null, winner: string | null): string | null {
  if (winner === null) return null;
  if (loser === null) return `it matches, but takes any host: ${winner} is more specific`;
  if (loser.startsWith('*.') && !winner.startsWith('*.')) {
    return `it matches, but ${loser} is a wildcard: the exact host ${winner} is more specific`;
  }
  return loser.length < winner.length ? `it matches, but ${winner} is a longer wildcard than ${loser}` : null;
}

/** Exact, whole pattern, regular expression, prefix or open pattern, any. */
function pathRank({ path, pathRegex }: Match): number {
  if (pathRegex !== null) return 2;
  if (path === null) return 4;
  if (path.endsWith('/*')) return 3;
  return path.includes('{') ? 1 : 0;
}

const KINDS = ['an exact path', 'a pattern of the whole path', 'a regular expression', 'a prefix', 'any path'];

function pathOutranked(loser: Match, winner: Match): string | null {
  const [loserRank, winnerRank] = [pathRank(loser), pathRank(winner)];
  if (loserRank !== winnerRank) {
    const what = loser.path ?? loser.pathRegex ?? 'no path';
    return `it matches, but ${what} is ${KINDS[loserRank]} and the winner has ${KINDS[winnerRank]}, ${winner.path ?? winner.pathRegex}`;
  }
  if (loser.path === null || winner.path === null) return null;
  const order = comparePathPatterns(parsePathPattern(loser.path), parsePathPattern(winner.path));
  return order > 0 ? `it matches, but ${winner.path} is more specific than ${loser.path}` : null;
}

/** A verdict for every route, in the order of the file. `winner` is the router's answer. */
export function judgeRoutes(routes: readonly RoutePlan[], winner: number, request: JudgedRequest): RouteVerdict[] {
  const winning = routes[winner];
  return routes.map(({ name, match }, index) => {
    const words = describeMatch(match);
    if (index === winner) {
      const others = routes.length > 1 ? ', and no other that matches is more specific or earlier' : '';
      return { name, match: words, wins: true, reason: `it matches${others}` };
    }
    const mismatch = whyNoMatch(match, request);
    const reason = mismatch ?? (winning === undefined ? 'it matches' : whyOutranked(match, winning.match));
    return { name, match: words, wins: false, reason };
  });
}
