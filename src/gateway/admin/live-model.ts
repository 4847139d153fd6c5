/**
 * What `GET /api/live` sends: the gateway as tables of columns, whole at first and then, once a second, only the cells that changed.
 * Both ends import this file, the server and the page, so it imports nothing but types: a row is what the state has, flat.
 *
 * Counters are since the start of the process, as in `GatewayState`: whoever wants a rate takes the difference of two, and sees from
 * `startedAt` when they began anew. Invariant: `applyChange(before, changeOf(before, after))` equals `after`.
 * Cost: a second of news of 1,000 endpoints under traffic is some ten columns of 1,000 numbers, about 60 kB; of an idle gateway, 40 B.
 */

import type {
  BreakerState,
  CheckState,
  ConfigVersionState,
  DrainState,
  EndpointOfService,
  GatewayState,
  LimitState,
  ListenerState,
  RouteArm,
  RouteState,
  ServiceState,
  StoreState,
  WorkerState,
} from '../control/gateway-state.ts';

export type Cell = string | number | boolean | null;

/** Columns of equal length: a row is what stands at one index of all. */
export type Table<Row> = { readonly [Column in keyof Row]: readonly Row[Column][] };

/** Statuses are final answers by class; 101 is a 1xx. */
export interface Answers {
  readonly s1xx: number;
  readonly s2xx: number;
  readonly s3xx: number;
  readonly s4xx: number;
  readonly s5xx: number;
}

/** Its percentiles, and those of all rows, are of the last minute, or since the start: `LiveGateway.latenciesOf`. */
export interface ListenerRow extends Answers, Omit<ListenerState, 'responses'> {}

export interface RouteRow extends Answers, Omit<RouteState, 'responses' | 'listeners' | 'host' | 'path' | 'target'> {
  /** Which listeners ask it, parted by spaces; empty: all. */
  readonly listeners: string;
}

/** Where a route leads; a route that the gateway answers itself has none. */
export interface ArmRow extends RouteArm {
  readonly route: string;
}

export interface ServiceRow extends Omit<ServiceState, 'discovery' | 'endpoints' | 'breaker'> {
  /** The phase of its breaker, and why; null without one. */
  readonly breaker: BreakerState['phase'] | null;
  readonly breakerReason: string | null;
  readonly endpoints: number;
  /** Where endpoints come from that are not in the config; empty if all are. */
  readonly source: string;
  readonly sourceProblem: string | null;
}

export interface EndpointRow
  extends Answers, Omit<EndpointOfService, 'responses' | 'changes' | 'check' | 'drain' | 'idleConnections'> {
  readonly drain: DrainState['phase'] | null;
  readonly drainedBy: DrainState['by'] | null;
  readonly drainUntil: string | null;
  readonly ejections: number;
  readonly idle: number;
  /** What came of its last check; null if it had none. */
  readonly check: CheckState['result'] | null;
  readonly checkReason: string;
  readonly checkAt: string | null;
  readonly checkMs: number | null;
}

export interface LimitRow extends Omit<LimitState, 'store' | 'listeners' | 'routes' | 'topRefused'> {
  /** Empty: in the memory of this process. */
  readonly store: string;
  readonly outage: string;
  /** Listeners and routes that name it, parted by commas. */
  readonly usedBy: string;
  readonly byStore: number;
  readonly byCache: number;
  readonly byFallback: number;
  readonly byOpen: number;
  readonly byClosed: number;
}

/** The keys that limits refuse most. */
export interface RefusedRow {
  readonly limit: string;
  readonly key: string;
  readonly count: number;
}

/** What the gateway refused itself. */
export interface RefusalRow {
  readonly reason: string;
  readonly count: number;
}

export interface VersionRow extends Omit<ConfigVersionState, 'changes'> {
  /** How many lines of changes; the lines are at `/api/changes`. */
  readonly changes: number;
}

export interface LiveTables {
  readonly listeners: Table<ListenerRow>;
  readonly routes: Table<RouteRow>;
  readonly arms: Table<ArmRow>;
  readonly services: Table<ServiceRow>;
  readonly endpoints: Table<EndpointRow>;
  readonly limits: Table<LimitRow>;
  readonly refused: Table<RefusedRow>;
  readonly stores: Table<StoreState>;
  readonly workers: Table<WorkerState>;
  readonly refusals: Table<RefusalRow>;
  readonly versions: Table<VersionRow>;
}

export type TableName = keyof LiveTables;

/** The columns that name a row: where these are equal, two tables have the same rows. */
export const tableKeys: { readonly [Name in TableName]: readonly (keyof LiveTables[Name])[] } = {
  listeners: ['name'],
  routes: ['name'],
  arms: ['route', 'service'],
  services: ['name'],
  endpoints: ['service', 'address'],
  limits: ['name'],
  refused: ['limit', 'key'],
  stores: ['name'],
  workers: ['lane'],
  refusals: ['reason'],
  versions: ['version'],
};

/** The process, and the little there is one of. */
export interface LiveGateway extends Pick<
  GatewayState,
  'version' | 'phase' | 'pid' | 'startedAt' | 'file' | 'admin' | 'configVersion' | 'pendingRestart' | 'canary'
> {
  /** What percentiles are of: `start` is since then, while nobody has looked for half a minute. */
  readonly latenciesOf: 'minute' | 'start';
  /** Why the last reload was refused; null if it was not. */
  readonly reloadRefused: string | null;
  /** The newest of `/api/changes`; 0 before the first. */
  readonly lastChange: number;
}

/** Something that is wrong now, in words. */
export interface LiveProblem {
  readonly severity: 'fault' | 'warning';
  /** A sentence. */
  readonly what: string;
  /** The screen that shows more: `#/balancer?service=shop`. */
  readonly link: string;
  /** Since when, as RFC 3339; null if that is not known. */
  readonly since: string | null;
}

export interface LiveState {
  /** Wall time of the reading, ms. */
  readonly atMs: number;
  readonly gateway: LiveGateway;
  /** The worst first. */
  readonly problems: readonly LiveProblem[];
  readonly tables: LiveTables;
}

/** Of a column: at which rows, and what stands there now. */
export type ColumnChange = readonly [at: readonly number[], to: readonly Cell[]];

export type TableChange =
  /** Other rows than before: all of it. */
  | { readonly all: Readonly<Record<string, readonly Cell[]>> }
  | { readonly columns: Readonly<Record<string, ColumnChange>> };

export interface LiveChange {
  readonly atMs: number;
  readonly gateway?: LiveGateway;
  readonly problems?: readonly LiveProblem[];
  /** Only tables in which something changed. */
  readonly tables: Readonly<Partial<Record<TableName, TableChange>>>;
}

type AnyTable = Readonly<Record<string, readonly Cell[]>>;

const tableNames = Object.keys(tableKeys) as TableName[];

/** What leads from one state to the next. O(cells). */
export function changeOf(before: LiveState, after: LiveState): LiveChange {
  const tables: Partial<Record<TableName, TableChange>> = {};
  for (const name of tableNames) {
    const change = tableChange(before.tables[name], after.tables[name], tableKeys[name]);
    if (change !== null) tables[name] = change;
  }
  return {
    atMs: after.atMs,
    ...(sameJson(before.gateway, after.gateway) ? {} : { gateway: after.gateway }),
    ...(sameJson(before.problems, after.problems) ? {} : { problems: after.problems }),
    tables,
  };
}

/** Columns in which nothing changed stay the same arrays. */
export function applyChange(before: LiveState, { atMs, gateway, problems, tables }: LiveChange): LiveState {
  const next: Partial<Record<TableName, AnyTable>> = { ...before.tables };
  for (const name of tableNames) {
    const change = tables[name];
    if (change === undefined) continue;
    next[name] = 'all' in change ? change.all : withColumns(next[name]!, change.columns);
  }
  return {
    atMs,
    gateway: gateway ?? before.gateway,
    problems: problems ?? before.problems,
    tables: next as unknown as LiveTables,
  };
}

/** A table from its rows; `columns` name them, also when there is no row. */
export function tableOf<Row extends object>(columns: readonly (keyof Row)[], rows: readonly Row[]): Table<Row> {
  return Object.fromEntries(columns.map((column) => [column, rows.map((row) => row[column])])) as never;
}

const rowsKnown = new WeakMap<object, readonly object[]>();

/** Made once of a table, whoever asks. O(cells). */
export function rowsOf<Row extends object>(table: Table<Row>): readonly Row[] {
  let rows = rowsKnown.get(table) as Row[] | undefined;
  if (rows !== undefined) return rows;
  const columns = Object.entries(table) as [keyof Row, readonly never[]][];
  rows = Array.from(columns[0]?.[1] ?? [], () => ({}) as Row);
  for (const [name, values] of columns) for (let at = 0; at < rows.length; at++) rows[at]![name] = values[at]!;
  rowsKnown.set(table, rows);
  return rows;
}

function tableChange(before: AnyTable, after: AnyTable, keys: readonly string[]): TableChange | null {
  if (!keys.every((key) => sameColumn(before[key]!, after[key]!))) return { all: after };
  const columns: Record<string, ColumnChange> = {};
  for (const [name, values] of Object.entries(after)) {
    const old = before[name]!;
    const at: number[] = [];
    values.forEach((value, row) => {
      if (value !== old[row]) at.push(row);
    });
    if (at.length > 0) columns[name] = [at, at.map((row) => values[row]!)];
  }
  return Object.keys(columns).length === 0 ? null : { columns };
}

function withColumns(table: AnyTable, columns: Readonly<Record<string, ColumnChange>>): AnyTable {
  const next: Record<string, readonly Cell[]> = { ...table };
  for (const [name, [at, to]] of Object.entries(columns)) {
    const values = [...(table[name] ?? [])];
    at.forEach((row, index) => (values[row] = to[index]!));
    next[name] = values;
  }
  return next;
}

function sameColumn(one: readonly Cell[], other: readonly Cell[]): boolean {
  return one.length === other.length && one.every((value, row) => value === other[row]);
}

function sameJson(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
