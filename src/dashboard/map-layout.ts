/**
 * Where things stand on the live map: client → listeners → gateway → routes → services → endpoints, in columns, and which lines join them.
 * Pure. Of many, those with the most traffic are shown, what is out first among endpoints, and the others are one node that says how many.
 *
 * A line is as thick as the square root of its requests, so that a hundredth of the traffic is still seen.
 */
import type { LiveTables } from '../gateway/admin/live-model.ts';
import { rowsOf } from '../gateway/admin/live-model.ts';
import { isOut } from './traffic.ts';

export interface Flow {
  /** A second; null while it is not known. */
  readonly requests: number | null;
  readonly errors: number | null;
}

export interface Node {
  readonly id: string;
  readonly kind: 'client' | 'listener' | 'gateway' | 'route' | 'service' | 'endpoint' | 'rest';
  readonly title: string;
  /** Of what it is about in words: a match, a policy, a reason. */
  readonly detail: string;
  readonly isOut: boolean;
  readonly flow: Flow;
  readonly p99Ms: number | null;
  readonly link: string | null;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export interface Line {
  readonly from: string;
  readonly to: string;
  readonly flow: Flow;
  readonly path: string;
  readonly width: number;
}

export interface MapLayout {
  readonly nodes: readonly Node[];
  readonly lines: readonly Line[];
  readonly width: number;
  readonly height: number;
}

/** Requests and errors of a row by its key; null where nothing is known. */
export type FlowOf = (table: 'listeners' | 'routes' | 'arms' | 'endpoints', ...names: readonly string[]) => Flow;

export const MAP_WIDTH = 1200;
const ROW = 46;
const NODE_HEIGHT = 36;
const SHORT_HEIGHT = 22;
const LINE_MAX = 14;
const ROUTES_MAX = 10;
/** The id of their node; that of endpoints is `rest of SERVICE`. */
const REST_ROUTES = 'rest';
const SERVICES_MAX = 10;
const ENDPOINTS_OF_SERVICE_MAX = 5;

const columns = {
  client: { x: 0, width: 70 },
  listener: { x: 108, width: 170 },
  gateway: { x: 316, width: 10 },
  route: { x: 366, width: 220 },
  service: { x: 662, width: 190 },
  endpoint: { x: 928, width: 272 },
} as const;

type Draft = Omit<Node, 'x' | 'y' | 'width' | 'height'>;
type Wire = Pick<Line, 'from' | 'to' | 'flow'>;

export function layoutMap(tables: LiveTables, flowOf: FlowOf): MapLayout {
  const wires: Wire[] = [];
  const listeners = rowsOf(tables.listeners).map((row): Draft => {
    const id = `listener ${row.name}`;
    const flow = flowOf('listeners', row.name);
    wires.push({ from: 'client', to: id, flow }, { from: id, to: 'gateway', flow });
    return { ...draft(id, 'listener', row.name, flow), detail: row.address, p99Ms: row.p99Ms, link: '#/service' };
  });
  const all = sum(listeners.map(({ flow }) => flow));
  const { services, endpoints } = servicesOf(tables, flowOf, wires);
  const routes = routesOf(tables, flowOf, wires);
  const tallest = Math.max(
    stackHeight(endpoints),
    stackHeight(services),
    stackHeight(routes),
    stackHeight(listeners),
    2 * ROW,
  );
  const placed = [
    place([draft('client', 'client', 'clients', all)], 'client', tallest),
    place(listeners, 'listener', tallest),
    [{ ...draft('gateway', 'gateway', 'gateway', all), ...columns.gateway, y: 0, height: tallest }],
    place(routes, 'route', tallest),
    place(services, 'service', tallest),
    place(endpoints, 'endpoint', tallest),
  ];
  const nodes = placed.flat();
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const most = Math.max(1e-9, ...wires.map(({ flow }) => flow.requests ?? 0));
  const lines = wires.flatMap((wire): Line[] => {
    const [from, to] = [byId.get(wire.from), byId.get(wire.to)];
    if (from === undefined || to === undefined) return [];
    const width = wire.flow.requests === null ? 1 : Math.max(1, LINE_MAX * Math.sqrt(wire.flow.requests / most));
    return [{ ...wire, width, path: curve(from, to) }];
  });
  return { nodes, lines, width: MAP_WIDTH, height: tallest };
}

function draft(id: string, kind: Node['kind'], title: string, flow: Flow): Draft {
  return { id, kind, title, flow, detail: '', isOut: false, p99Ms: null, link: null };
}

function routesOf(tables: LiveTables, flowOf: FlowOf, wires: Wire[]): Draft[] {
  const rows = rowsOf(tables.routes).map((row) => ({ row, flow: flowOf('routes', row.name) }));
  const shown = most(rows, ROUTES_MAX, ({ flow }) => flow.requests ?? 0);
  const names = new Set(shown.map(({ row }) => row.name));
  const drafts = shown.map(({ row, flow }): Draft => {
    const id = `route ${row.name}`;
    wires.push({ from: 'gateway', to: id, flow });
    const link = `#/service?${new URLSearchParams({ 'r.find': row.name }).toString()}`;
    return { ...draft(id, 'route', row.name, flow), detail: row.matches, p99Ms: row.p99Ms, link };
  });
  const rest = rows.filter(({ row }) => !names.has(row.name));
  if (rest.length > 0) {
    const flow = sum(rest.map((each) => each.flow));
    wires.push({ from: 'gateway', to: REST_ROUTES, flow });
    drafts.push(draft(REST_ROUTES, 'rest', `${rest.length} more routes`, flow));
  }
  const merged = new Map<string, Wire>();
  for (const { route, service } of rowsOf(tables.arms)) {
    const from = names.has(route) ? `route ${route}` : REST_ROUTES;
    const flow = flowOf('arms', route, service);
    // Names made of routes have blanks.
    const key = JSON.stringify([from, service]);
    const before = merged.get(key);
    merged.set(key, {
      ...{ from, to: `service ${service}` },
      flow: before === undefined ? flow : sum([before.flow, flow]),
    });
  }
  wires.push(...merged.values());
  return drafts;
}

function servicesOf(tables: LiveTables, flowOf: FlowOf, wires: Wire[]): { services: Draft[]; endpoints: Draft[] } {
  const members = Map.groupBy(rowsOf(tables.endpoints), ({ service }) => service);
  const rows = rowsOf(tables.services).map((row) => {
    const own = (members.get(row.name) ?? []).map((endpoint) => ({
      endpoint,
      flow: flowOf('endpoints', row.name, endpoint.address),
    }));
    return { row, own, flow: sum(own.map(({ flow }) => flow)) };
  });
  const shown = most(rows, SERVICES_MAX, ({ flow }) => flow.requests ?? 0);
  const endpoints: Draft[] = [];
  const services = shown.map(({ row, own, flow }): Draft => {
    const id = `service ${row.name}`;
    const link = `#/balancer?${new URLSearchParams({ service: row.name }).toString()}`;
    // What is out comes first: it is what one looks for.
    const named = most(own, ENDPOINTS_OF_SERVICE_MAX, (each) =>
      isOut(each.endpoint) ? Number.POSITIVE_INFINITY : (each.flow.requests ?? 0),
    );
    for (const { endpoint, flow: its } of named) {
      const { address, drain, health, p99Ms } = endpoint;
      const its_id = `endpoint ${row.name} ${address}`;
      wires.push({ from: id, to: its_id, flow: its });
      const detail = drain ?? (health === 'up' ? '' : health);
      endpoints.push({ ...draft(its_id, 'endpoint', address, its), detail, isOut: isOut(endpoint), p99Ms, link });
    }
    const rest = own.filter((each) => !named.includes(each));
    if (rest.length > 0) {
      const its = sum(rest.map((each) => each.flow));
      wires.push({ from: id, to: `rest of ${row.name}`, flow: its });
      endpoints.push({ ...draft(`rest of ${row.name}`, 'rest', `${rest.length} more`, its), link });
    }
    const out = own.filter(({ endpoint }) => isOut(endpoint)).length;
    const detail = `${own.length - out} of ${own.length}`;
    return { ...draft(id, 'service', row.name, flow), detail, isOut: own.length === out, p99Ms: row.p99Ms, link };
  });
  return { services, endpoints };
}

/** The `count` greatest, in the order given. */
function most<T>(items: readonly T[], count: number, by: (item: T) => number): readonly T[] {
  if (items.length <= count) return items;
  const kept = new Set(items.toSorted((one, other) => by(other) - by(one)).slice(0, count));
  return items.filter((item) => kept.has(item));
}

function sum(flows: readonly Flow[]): Flow {
  const add = (of: keyof Flow): number | null => {
    const known = flows.flatMap((flow) => flow[of] ?? []);
    return known.length === 0 ? null : known.reduce((total, value) => total + value, 0);
  };
  return { requests: add('requests'), errors: add('errors') };
}

function heightOf({ kind }: Draft): number {
  return kind === 'endpoint' || kind === 'rest' ? SHORT_HEIGHT : NODE_HEIGHT;
}

function stackHeight(drafts: readonly Draft[]): number {
  return drafts.reduce((total, each) => total + heightOf(each) + (ROW - NODE_HEIGHT), 0);
}

/** Spread over the height. */
function place(drafts: readonly Draft[], column: keyof typeof columns, height: number): Node[] {
  const gap = (height - drafts.reduce((total, each) => total + heightOf(each), 0)) / Math.max(1, drafts.length);
  let y = gap / 2;
  return drafts.map((each) => {
    const node = { ...each, ...columns[column], y, height: heightOf(each) };
    y += node.height + gap;
    return node;
  });
}

function curve(from: Node, to: Node): string {
  const x1 = from.x + from.width;
  // The gateway is a bar: lines meet it where they come from.
  const y1 = from.kind === 'gateway' ? to.y + to.height / 2 : from.y + from.height / 2;
  const y2 = to.kind === 'gateway' ? y1 : to.y + to.height / 2;
  const middle = (x1 + to.x) / 2;
  return `M${x1} ${y1.toFixed(1)}C${middle} ${y1.toFixed(1)} ${middle} ${y2.toFixed(1)} ${to.x} ${y2.toFixed(1)}`;
}
