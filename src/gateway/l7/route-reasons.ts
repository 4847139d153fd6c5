/**
 * Why a route wins or loses, in words. The router decides; this file only says why, one route at a time, so it can afford
 * to be slow and plain. A property test holds the two together.
 */
import type { RoutePlan } from '../snapshot.ts';
import { hostPattern } from './router.ts';

export interface RouteVerdict {
  readonly name: string;
  /** `shop.example /api/*`; `any host`, `any path` where nothing is asked. */
  readonly match: string;
  readonly wins: boolean;
  readonly reason: string;
}

type Match = RoutePlan['match'];

function describeMatch(match: Match): string {
  const parts = [hostPattern(match) ?? 'any host', match.path ?? 'any path'];
  if (match.listeners !== null) parts.push(`on ${match.listeners.join(', ')}`);
  return parts.join(' ');
}

/** Why `match` does not take the request, or null if it does. `host` is lower case, without port and final dot. */
export function whyNoMatch(match: Match, listenerId: string, host: string, path: string): string | null {
  if (match.listeners !== null && !match.listeners.includes(listenerId)) {
    return `it is only for listener ${match.listeners.join(', ')}, and this is ${listenerId}`;
  }
  return whyNotHost(hostPattern(match), host) ?? whyNotPath(match.path, path);
}

function whyNotHost(pattern: string | null, host: string): string | null {
  if (pattern === null) return null;
  if (!pattern.startsWith('*.')) return host === pattern ? null : `host ${host || '(none)'} is not ${pattern}`;
  const suffix = pattern.slice(1);
  if (host.endsWith(suffix) && host.length > suffix.length) return null;
  if (host === suffix.slice(1)) return `host ${host} is not below itself: ${pattern} asks for at least one label more`;
  return `host ${host || '(none)'} does not end in ${suffix}`;
}

function whyNotPath(pattern: string | null, path: string): string | null {
  if (pattern === null) return null;
  if (!pattern.endsWith('/*')) return path === pattern ? null : `path ${path} is not ${pattern}`;
  const prefix = pattern.slice(0, -2);
  if (path.startsWith(`${prefix}/`) || path === prefix) return null;
  if (prefix !== '' && path.startsWith(prefix)) {
    return `path ${path} begins with ${prefix} but not on a segment: ${pattern} takes ${prefix} and ${prefix}/…`;
  }
  return `path ${path} does not begin with ${prefix}/`;
}

/** Why `loser`, which matches as well, comes after `winner`: the first step of precedence in which they differ. */
function whyOutranked(loser: Match, winner: Match): string {
  const host = compare(hostPattern(loser), hostPattern(winner), 'host', (pattern) => pattern.startsWith('*.'));
  if (host !== null) return host;
  const path = compare(loser.path, winner.path, 'path', (pattern) => pattern.endsWith('/*'));
  if (path !== null) return path;
  return 'it matches as precisely, but comes later in the file';
}

/** For a host or a path: exact before pattern, the longer pattern before the shorter, any last. */
function compare(
  loser: string | null,
  winner: string | null,
  what: 'host' | 'path',
  isPattern: (pattern: string) => boolean,
): string | null {
  const kind = what === 'host' ? 'wildcard' : 'prefix';
  if (winner === null) return null;
  if (loser === null) return `it matches, but takes any ${what}: ${winner} is more specific`;
  if (isPattern(loser) && !isPattern(winner)) {
    return `it matches, but ${loser} is a ${kind}: the exact ${what} ${winner} is more specific`;
  }
  if (loser.length < winner.length) return `it matches, but ${winner} is a longer ${kind} than ${loser}`;
  return null;
}

/** A verdict for every route, in the order of the file. `winner` is the router's answer. */
export function judgeRoutes(
  routes: readonly RoutePlan[],
  winner: number,
  request: { readonly listener: string; readonly host: string; readonly path: string },
): RouteVerdict[] {
  const winning = routes[winner];
  return routes.map(({ name, match }, index) => {
    const described = describeMatch(match);
    if (index === winner) {
      const others = routes.length > 1 ? ', and no other that matches is more specific or earlier' : '';
      return { name, match: described, wins: true, reason: `it matches${others}` };
    }
    const mismatch = whyNoMatch(match, request.listener, request.host, request.path);
    const reason = mismatch ?? (winning === undefined ? 'it matches' : whyOutranked(match, winning.match));
    return { name, match: described, wins: false, reason };
  });
}
