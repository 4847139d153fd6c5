/**
 * What RedisBloom 2 answers to `BF.SCANDUMP`, whole, and which of a thousand absent keys it takes for present. A module compiled from its
 * own sources (bloom.c at 0aeb4b2, sb.c at 03077b4, the BF commands of rebloom.c at 0087f47) has these bytes and answers. To repeat it with
 * yours: redis-bloom.test.ts makes each of these filters anew in the module that docs/hacking.md says how to name, and compares every byte.
 */
import { chainImage, decodeChain, openRedisBloomCopy, type RedisBloomCopy } from '../../src/bloom/chain.ts';

export const keysOf = (count: number, word = 'key'): string[] =>
  Array.from({ length: count }, (_, index) => `${word} ${index}`);

export const absent: readonly string[] = keysOf(1000, 'other');

interface RecordedDump {
  /** What `BF.RESERVE` was told behind the key. */
  readonly reserve: readonly string[];
  readonly keys: readonly (string | Uint8Array)[];
  readonly dump: Uint8Array;
  /** Which of `absent` it says yes to. */
  readonly found: readonly number[];
}

export const redisBloomDumps = {
  fixed: {
    reserve: ['0.01', '20', 'NONSCALING'],
    keys: [...keysOf(19), ''],
    dump: Buffer.from(
      'FAAAAAAAAAABAAAADQAAAAIAAAAYAAAAAAAAAMAAAAAAAAAAFAAAAAAAAAB7FK5H4XqEP4gWisWMKyNABwAAABQAAAAAAAAAAOgplYGOu7wLqirD4fp/LaSgtiCrqewXWA==',
      'base64',
    ),
    found: [5, 38, 146, 206, 323, 333, 485, 523, 556, 710, 837, 908, 954],
  },
  grown: {
    reserve: ['0.05', '5'],
    keys: [...keysOf(30), 'é', Uint8Array.of(0, 255, 128), 'x'.repeat(100)],
    dump: Buffer.from(
      'IAAAAAAAAAADAAAABQAAAAIAAAAIAAAAAAAAAEAAAAAAAAAABQAAAAAAAACamZmZmZmZPwvYH3gwth5ABgAAAAUAAAAAAAAAABAAAAAAAAAAgAAAAAAAAAAKAAAAAAAAAJqZmZmZmYk/ZVy1KME9IkAHAAAACgAAAAAAAAAAIAAAAAAAAAAAAQAAAAAAABEAAAAAAAAAmpmZmZmZeT/GzFoVaiAlQAgAAAAUAAAAAAAAAAAiIpMgyP8HACi706MTaT2LgoIQiaqAkMxT8IFwBhTBEWcEFAG2DmiluzpkdH11ZigwMV+kiME2CQ==',
      'base64',
    ),
    found: [
      6, 137, 138, 179, 206, 224, 317, 359, 393, 439, 498, 523, 553, 567, 572, 657, 683, 710, 808, 817, 828, 835, 841,
      870, 876, 908, 927, 954,
    ],
  },
} as const satisfies Record<string, RecordedDump>;

/** The copy that a download of such a dump is. */
export function copyOfDump(dump: Uint8Array): RedisBloomCopy {
  const { image } = chainImage(dump.subarray(0, decodeChain(dump).headerBytes));
  image.body.set(dump);
  return openRedisBloomCopy(image.memory);
}
