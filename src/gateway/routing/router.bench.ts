/** CPU time of a match in ns, on bytes as the engine has them; the best of several rounds. Run: `npm run bench -- router`. */
import { anyRequest } from '../../../test/engine/plans.ts';
import { type RequestText, routed } from '../../../test/engine/routed.ts';
import type { RoutePlan } from '../snapshot.ts';
import { createRouter } from './router.ts';

type Match = Partial<RoutePlan['match']>;

function route(match: Match): RoutePlan {
  return {
    name: '',
    match: { ...anyRequest, ...match },
    service: 0,
    requestBodyBytesMax: 0,
    requestLimits: [],
    upgrade: [],
    shaping: null,
    tunnelIdleMs: 0,
    cell: new SharedArrayBuffer(8),
  };
}

/** Hosts, prefixes, patterns and conditions as a large gateway mixes them. */
function mixed(count: number): RoutePlan[] {
  return Array.from({ length: count }, (_, index) => {
    const host = `h${index >> 3}.shop.example`;
    switch (index & 7) {
      case 0:
        return route({ host });
      case 1:
        return route({ host, path: '/users/{id}' });
      case 2:
        return route({ host, path: '/users/{id}/orders/*' });
      case 3:
        return route({ host, path: '/api/*', methods: ['POST'] });
      case 4:
        return route({ host, path: '/api/*', headers: [{ name: 'x-beta', kind: 'equals', value: '1' }] });
      case 5:
        return route({ host, path: '/api/*' });
      case 6:
        return route({ host, path: '/login' });
      default:
        return route({ host, path: '/img/*' });
    }
  });
}

const fields: [string, string][] = Array.from({ length: 12 }, (_, index) => [`x-field-${index}`, 'some value']);
const cases: [string, RoutePlan[], RequestText][] = [
  ['one route for all', [route({})], { host: 'shop.example', path: '/api/x' }],
  ['one prefix, short host', [route({ path: '/api/*' })], { host: '127.0.0.1', path: '/api/x' }],
];
for (const count of [10, 1000, 10_000]) {
  const host = `h${(count >> 4) | 0}.shop.example`;
  const routes = mixed(count);
  cases.push(
    [
      `${count} routes, prefix with two conditions before it`,
      routes,
      { host, path: '/api/v1/articles/1234567890', fields },
    ],
    [`${count} routes, pattern`, routes, { host, path: '/users/1234567890' }],
    [`${count} routes, exact`, routes, { host, path: '/login' }],
  );
}

for (const [name, routes, text] of cases) {
  const table = createRouter(routes).table('web');
  const request = routed(text);
  const rounds = 500_000;
  let sink = 0;
  let bestNs = Number.POSITIVE_INFINITY;
  for (let repeat = 0; repeat < 7; repeat++) {
    const before = process.cpuUsage();
    for (let round = 0; round < rounds; round++) sink += table.match(request);
    const { user, system } = process.cpuUsage(before);
    bestNs = Math.min(bestNs, ((user + system) * 1000) / rounds);
  }
  process.stdout.write(`${name}: ${bestNs.toFixed(0)} ns a match${sink < 0 ? ' (no route)' : ''}\n`);
}
