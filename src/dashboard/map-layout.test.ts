import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type EndpointRow, type LiveTables, type TableName, tableKeys, tableOf } from '../gateway/admin/live-model.ts';
import { type FlowOf, layoutMap, MAP_WIDTH } from './map-layout.ts';

const latencies = { p50Ms: null, p90Ms: null, p99Ms: 12, p999Ms: null };

function tablesOf(given: Partial<Record<TableName, readonly object[]>>): LiveTables {
  return Object.fromEntries(
    (Object.keys(tableKeys) as TableName[]).map((name) => {
      const rows = given[name] ?? [];
      return [name, tableOf((rows.length === 0 ? tableKeys[name] : Object.keys(rows[0]!)) as never, rows as never)];
    }),
  ) as unknown as LiveTables;
}

const endpoint = (service: string, address: string, given: Partial<EndpointRow> = {}) => ({
  ...{ service, address, health: 'up', drain: null, ...latencies },
  ...given,
});
const route = (name: string) => ({ name, matches: `/${name}`, ...latencies });

/** Every request of a route goes to one service, each endpoint has ten. */
const flowOf: FlowOf = (table) => ({ requests: table === 'endpoints' ? 10 : 20, errors: 0 });

test('all that is joined is there, and no two things lie over one another', () => {
  const tables = tablesOf({
    listeners: [{ name: 'web', address: 'a:1', ...latencies }],
    routes: [route('api'), route('site')],
    arms: [
      { route: 'api', service: 'shop' },
      { route: 'site', service: 'shop' },
    ],
    services: [{ name: 'shop', balance: 'random', ...latencies }],
    endpoints: [endpoint('shop', 'a:1'), endpoint('shop', 'b:1', { health: 'down' })],
  });
  const { height, lines, nodes, width } = layoutMap(tables, flowOf);
  assert.equal(width, MAP_WIDTH);
  assert.deepEqual(
    lines.map(({ from, to }) => `${from} → ${to}`),
    [
      'client → listener web',
      'listener web → gateway',
      'service shop → endpoint shop a:1',
      'service shop → endpoint shop b:1',
      'gateway → route api',
      'gateway → route site',
      'route api → service shop',
      'route site → service shop',
    ],
  );
  assert.equal(nodes.find(({ id }) => id === 'endpoint shop b:1')!.isOut, true);
  assert.equal(nodes.find(({ id }) => id === 'service shop')!.flow.requests, 20);
  // The screen of services finds a route in its table.
  assert.equal(nodes.find(({ id }) => id === 'route api')!.link, '#/service?r.find=api');
  for (const [at, one] of nodes.entries()) {
    assert.ok(one.y >= 0 && one.y + one.height <= height + 1e-9 && one.x + one.width <= width, one.id);
    for (const other of nodes.slice(at + 1)) {
      const apart =
        one.y + one.height <= other.y ||
        other.y + other.height <= one.y ||
        one.x + one.width <= other.x ||
        other.x + other.width <= one.x;
      assert.ok(apart, `${one.id} and ${other.id}`);
    }
  }
});

test('of a thousand endpoints a few are shown, what is out first, and the others are counted', () => {
  const many = Array.from({ length: 1000 }, (_, at) =>
    endpoint('shop', `10.0.0.1:${at}`, at === 777 ? { health: 'ejected' } : {}),
  );
  const { nodes } = layoutMap(
    tablesOf({ services: [{ name: 'shop', balance: '', ...latencies }], endpoints: many }),
    flowOf,
  );
  const shown = nodes.filter(({ kind }) => kind === 'endpoint');
  assert.equal(shown.length, 5);
  assert.ok(shown.some(({ title }) => title === '10.0.0.1:777'));
  const rest = nodes.find(({ kind }) => kind === 'rest')!;
  assert.equal(rest.title, '995 more');
  assert.equal(rest.flow.requests, 9950);
});

test('of many routes the busiest are shown, and what the others send goes on from one node', () => {
  const names = Array.from({ length: 40 }, (_, at) => `r${at}`);
  const tables = tablesOf({
    routes: names.map(route),
    arms: names.map((name) => ({ route: name, service: 'shop' })),
    services: [{ name: 'shop', balance: '', ...latencies }],
  });
  const busy: FlowOf = (table, name = '') => ({
    requests: table === 'endpoints' ? 0 : Number(name.slice(1)),
    errors: 0,
  });
  const { lines, nodes } = layoutMap(tables, busy);
  assert.deepEqual(
    nodes.filter(({ kind }) => kind === 'route').map(({ title }) => title),
    names.slice(30),
  );
  const rest = lines.find(({ from, to }) => from === 'rest' && to === 'service shop')!;
  assert.equal(rest.flow.requests, (29 * 30) / 2);
});

test('no two nodes are one, whatever things are called', () => {
  const names = Array.from({ length: 11 }, (_, at) => `r${at}`);
  const tables = tablesOf({
    routes: names.map(route),
    arms: names.map((name) => ({ route: name, service: 'routes' })),
    services: [{ name: 'routes', balance: '', ...latencies }],
    endpoints: Array.from({ length: 6 }, (_, at) => endpoint('routes', `10.0.0.1:${at}`)),
  });
  const ids = layoutMap(tables, flowOf).nodes.map(({ id }) => id);
  assert.deepEqual(ids.toSorted(), [...new Set(ids)].toSorted());
  assert.equal(ids.filter((id) => id.startsWith('rest')).length, 2);
});
