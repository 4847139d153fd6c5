/**
 * `npm run bench -- bloom [options]`: what filters cost and whether they keep their promise.
 *
 *     npm run bench -- bloom                     all but the large ones
 *     npm run bench -- bloom --only variants     one part: speed, variants or redis
 *     npm run bench -- bloom --billion           a billion keys, each looked for again (or --keys N)
 *     npm run bench -- bloom --fuse 100000000    so many keys in a fuse filter
 */
import { parseArgs } from 'node:util';
import { partsAsked } from '../parts.ts';
import { fusePart } from './fuse.ts';
import { prove, sayProgress } from './proof.ts';
import { redisPart } from './redis.ts';
import { speedPart } from './speed.ts';
import { variantsPart } from './variants.ts';

const { values } = parseArgs({
  options: {
    billion: { type: 'boolean', default: false },
    keys: { type: 'string' },
    only: { type: 'string' },
    fuse: { type: 'string' },
  },
});

/** How far the measured rate may be from the predicted one. */
const TOLERANCE = 0.03;

function showProof(capacity: number, absent: number): void {
  const { report, lost, rate, rateRatio, addNs, hasNs } = prove({ capacity, absent, onProgress: sayProgress() });
  const lines = {
    'keys added, then each asked for': capacity.toLocaleString('en'),
    'of them not found': lost,
    bytes: `${report.bytes.toLocaleString('en')} (${((8 * report.bytes) / capacity).toFixed(3)} bits a key)`,
    'keys asked for that were not added': absent.toLocaleString('en'),
    'false-positive rate measured': `${(100 * rate).toFixed(4)} %`,
    'predicted at capacity': `${(100 * report.falsePositiveRate.atCapacity).toFixed(4)} % (ratio ${rateRatio.toFixed(4)})`,
    'predicted by the bits that are set': `${(100 * report.falsePositiveRate.now).toFixed(4)} %`,
    'keys by estimate': report.count.toLocaleString('en'),
    'CPU time of a key in addMany': `${addNs.toFixed(0)} ns, making the key included`,
    'CPU time of a key in hasMany': `${hasNs.toFixed(0)} ns, making the key included`,
    'most memory of the process': `${(process.resourceUsage().maxRSS / 1024 ** 2).toFixed(3)} GiB`,
  };
  for (const [what, value] of Object.entries(lines)) process.stdout.write(`${what.padEnd(36)} ${value}\n`);
  if (lost > 0 || Math.abs(rateRatio - 1) > TOLERANCE) process.exitCode = 1;
}

if (values.billion) showProof(1e9, 1e8);
else if (values.keys !== undefined) showProof(Number(values.keys), Number(values.keys) / 10);
else if (values.fuse !== undefined) fusePart(Number(values.fuse));
else {
  const parts = { speed: speedPart, variants: variantsPart, redis: redisPart };
  for (const [, part] of partsAsked(parts, values.only)) await part();
}
