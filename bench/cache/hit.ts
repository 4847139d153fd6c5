/** A hit in memory, of one key and of ten thousand in turn, beside `lru-cache` and `cacheable`; hit-subjects.ts says what each does. */
import { byTurns } from '../limit/turns.ts';
import type { subjects } from './hit-subjects.ts';

const names = [
  'spillway, await get',
  'spillway with metrics, await get',
  'spillway, peek',
  'lru-cache, get',
  'lru-cache, await fetch',
  'cacheable, await get',
  'the floor: await of a promise that is there',
  'the floor: Map.get of the same string',
] as const satisfies (keyof typeof subjects)[];

export async function hitPart(): Promise<void> {
  const file = new URL('./hit-subjects.ts', import.meta.url);
  await byTurns('a hit, one key', { file, names, keys: { count: 1, order: 'in turn' } });
  await byTurns('a hit, 10,000 keys in turn', { file, names, keys: { count: 10_000, order: 'in turn' } });
}
