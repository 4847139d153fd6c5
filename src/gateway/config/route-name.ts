/** The name of a route that has none: host, path and methods of its match, and its listeners if it is not for all. */
import type { Route } from './route-schema.ts';

export function routeName(route: Route): string {
  if (route.name !== undefined) return route.name;
  const { host = '*', path, pathRegex, methods, listeners } = route.match;
  const place = `${host.toLowerCase()} ${path ?? (pathRegex === undefined ? '/*' : `~${pathRegex}`)}`;
  const name = methods === undefined ? place : `${place} ${methods.join(',')}`;
  return listeners === undefined ? name : `${name} on ${listeners.join(',')}`;
}
