/** The name of a route that has none: host and path of its match, and its listeners if it is not for all. */
import type { Route } from './schema.ts';

export function routeName(route: Route): string {
  if (route.name !== undefined) return route.name;
  const { host = '*', path = '/*', listeners } = route.match;
  const name = `${host.toLowerCase()} ${path}`;
  return listeners === undefined ? name : `${name} on ${listeners.join(',')}`;
}
