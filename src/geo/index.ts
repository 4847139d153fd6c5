/** `spillway/geo`: finding what is nearby. */
export { createFences, type Fence, type FenceChanges, type Fences, type FencesOptions } from './fences.ts';
export type {
  FilterOptions,
  Found,
  GeoIndex,
  GeoStore,
  Hits,
  NearestOptions,
  Placed,
  StoreCallOptions,
  WithinOptions,
} from './geo-index.ts';
export { distanceM, EARTH_RADIUS_M, geodesic, type GeodesicSolver, haversine, type Measure } from './measure.ts';
export { createMoving, type Moving, type MovingOptions, openMoving } from './moving.ts';
export type { MutableGeoIndex } from './mutable-index.ts';
export { createPoints, openPoints, type Points, type PointsOptions } from './points.ts';
export type { PointColumns } from './points-build.ts';
export type { Box, Position } from './position.ts';
export { createQuadtree, type Quadtree, type QuadtreeOptions } from './quadtree.ts';
export { createRegion, type Polygon, type Region, type Ring } from './region.ts';
export type { MeasureOptions } from './searchable.ts';
export { geohash, type GeohashArea, type GeohashCoverOptions, type GeohashNeighbours } from './geohash.ts';
export { postgisStore } from './postgis.ts';
export { type CellCircle, type Cells, type CellsOptions, type CellSystem, coverByCells, createCells } from './cells.ts';
export { geohashCells } from './geohash-cells.ts';
export { type H3, h3Cells, type H3CellsOptions } from './h3.ts';
export { type PostgresGeoStore, postgresStore, type PostgresStoreOptions } from './postgres.ts';
export { redisPosition, redisScore, redisStore, type RedisStoreOptions } from './redis.ts';
