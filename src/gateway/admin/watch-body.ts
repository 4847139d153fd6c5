/** Reads what a stream of the live feed is to tell beside the state. */
import { readObject } from './json-body.ts';
import { type Watch, WATCH_EVERY_S_MAX, WATCH_PATH_LENGTH_MAX, WATCH_PATHS_MAX, WATCHES_MAX } from './watch-model.ts';

const example = '{"watches": [{"id": 1, "paths": ["/api/slo"], "everyS": 2}]}';

/** Or a sentence on what is wrong with it. */
export function readWatches(body: Buffer): readonly Watch[] | string {
  const given = readObject(body, ['watches'], example);
  if (typeof given === 'string') return given;
  const { watches } = given;
  if (!Array.isArray(watches) || watches.length > WATCHES_MAX)
    return `watches must be a list of at most ${WATCHES_MAX}, such as ${example}.`;
  if (!watches.every(isWatch))
    return `A watch has an id of its own, 1 to ${WATCH_PATHS_MAX} paths and everyS from 1 to ${WATCH_EVERY_S_MAX}, such as ${example}.`;
  if (new Set(watches.map(({ id }) => id)).size < watches.length) return 'Two watches have the same id.';
  return watches.map(({ id, paths, everyS }) => ({ id, paths, everyS }));
}

function isWatch(given: unknown): given is Watch {
  if (typeof given !== 'object' || given === null) return false;
  const { id, paths, everyS } = given as Partial<Record<keyof Watch, unknown>>;
  return (
    Number.isSafeInteger(id) &&
    Array.isArray(paths) &&
    paths.length >= 1 &&
    paths.length <= WATCH_PATHS_MAX &&
    paths.every((path) => typeof path === 'string' && path.length <= WATCH_PATH_LENGTH_MAX) &&
    Number.isSafeInteger(everyS) &&
    Number(everyS) >= 1 &&
    Number(everyS) <= WATCH_EVERY_S_MAX
  );
}
