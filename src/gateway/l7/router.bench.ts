/** ns a match, on bytes as the engine has them. Run: `node src/gateway/l7/router.bench.ts`. */
import type { RoutePlan } from '../snapshot.ts';
import { createRouter } from './router.ts';

function route(host: string | null, path: string | null): RoutePlan {
  const match = { host, path, listeners: null };
  return {
    name: '',
    match,
    service: 0,
    requestBodyBytesMax: 0,
    upgrade: [],
    tunnelIdleMs: 0,
    cell: new SharedArrayBuffer(8),
  };
}

const many = Array.from({ length: 1000 }, (_, index) => route(`h${index}.shop.example`, `/api/v${index % 7}/*`));
const cases: readonly [string, RoutePlan[], string, string][] = [
  ['one route for all', [route(null, null)], 'shop.example', '/api/x'],
  ['one prefix, short host', [route(null, '/api/*')], '127.0.0.1', '/api/x'],
  ['1000 routes, host and prefix', many, 'h777.shop.example', '/api/v0/articles/1234567890'],
  ['1000 routes and wildcard', [...many, route('*.shop.example', '/img/*')], 'h777.shop.example', '/img/logo.svg'],
  ['long path', many, 'h777.shop.example', `/api/v0/${'segment/'.repeat(25)}`],
];

for (const [name, routes, host, path] of cases) {
  const table = createRouter(routes).table('web');
  const bytes = Buffer.from(host + path);
  const rounds = 1_000_000;
  let sink = 0;
  let bestNs = Number.POSITIVE_INFINITY;
  for (let repeat = 0; repeat < 7; repeat++) {
    const before = process.hrtime.bigint();
    for (let round = 0; round < rounds; round++) {
      sink += table.matchBytes(bytes, 0, host.length, bytes, host.length, bytes.length);
    }
    bestNs = Math.min(bestNs, Number(process.hrtime.bigint() - before) / rounds);
  }
  process.stdout.write(`${name}: ${bestNs.toFixed(1)} ns a match${sink < 0 ? ' (no route)' : ''}\n`);
}
