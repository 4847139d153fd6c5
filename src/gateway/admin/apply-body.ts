/** The body of `POST /api/apply`: which config, and whether it is on trial first. */
import { isAbsolute } from 'node:path';
import type { Pass } from '../../observe/slo/gate.ts';
import { passKeys, readPass } from './pass-body.ts';
import { readObject } from './json-body.ts';
import { parseDuration, parsePercentage } from '../../kernel/units.ts';

export interface ApplyRequest {
  /** Absolute, on the gateway's machine. */
  readonly file: string;
  readonly trial: { readonly share: number; readonly watchMs: number } | null;
  readonly pass: Pass | null;
}

/** Longer than a day nobody watches, and shorter than a second there is nothing to see. */
const WATCH_MS = { min: 1000, max: 86_400_000 };
const EXAMPLE = '{"file": "/etc/spillway/next.yaml", "canary": "10%", "watch": "60s"}';

/** Or a sentence on what is wrong with it. */
export function readApplyRequest(body: Buffer): ApplyRequest | string {
  const given = readObject(body, ['file', 'canary', 'watch', ...passKeys], EXAMPLE);
  if (typeof given === 'string') return given;
  const { file, canary, watch } = given;
  if (typeof file !== 'string' || !isAbsolute(file))
    return 'file must be an absolute path on the machine of the gateway.';
  const pass = readPass(given);
  if (typeof pass === 'string') return pass;
  if (canary === undefined && watch === undefined) return { file, trial: null, pass };
  const share = parsePercentage(String(canary));
  if (!share.ok || share.value === 0) return 'canary must be a percentage above 0% and up to 100%, such as 10%.';
  const watchMs = parseDuration(String(watch));
  if (!watchMs.ok || watchMs.value < WATCH_MS.min || watchMs.value > WATCH_MS.max) {
    return 'watch must be a duration from 1s to 1d, such as 60s.';
  }
  return { file, trial: { share: share.value, watchMs: watchMs.value }, pass };
}
