/**
 * What receivers were told of and is not over, kept beyond the process: one that begins again tells nothing twice, and tells the end of what
 * ended meanwhile. Made anew as a whole at each change. What cannot be read is as if nothing was told, and what cannot be written is tried
 * again: an alert may be told twice for that, and none is kept back.
 */
import { open, readFile, rename } from 'node:fs/promises';
import type { Told } from '../../observe/slo/alerts/alert-group.ts';
import type { AlertStatus } from '../../observe/slo/live/status.ts';

export interface KeptTold extends Omit<Told, 'atMs'> {
  /** Wall time; null: not every receiver has taken it, or that it is over. */
  readonly atMs: number | null;
}

/** Of objectives, by their ids. */
export type ToldAlerts = ReadonlyMap<string, KeptTold>;

/** A thousand objectives; each is some 300 bytes. */
const BYTES_MAX = 2 ** 20;

/** Empty if there is none yet; or a sentence on what is wrong with it. */
export async function readTold(path: string): Promise<ToldAlerts | string> {
  try {
    const text = await readFile(path, 'utf8');
    const given: unknown = text.length > BYTES_MAX ? null : JSON.parse(text);
    const { told } = (given ?? {}) as Partial<Record<string, unknown>>;
    const entries = typeof told === 'object' && told !== null ? Object.entries(told) : null;
    if (entries?.every((entry): entry is [string, KeptTold] => isTold(entry[1])) !== true) {
      return `${path} is not what alerts were told of, and is not used.`;
    }
    return new Map(entries);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return new Map();
    return `What alerts were told of could not be read: ${(error as Error).message}`;
  }
}

export async function writeTold(path: string, told: ToldAlerts): Promise<void> {
  const aside = `${path}.new`;
  const handle = await open(aside, 'w', 0o600);
  try {
    await handle.writeFile(`${JSON.stringify({ told: Object.fromEntries(told) })}\n`);
    await handle.datasync();
  } finally {
    await handle.close();
  }
  await rename(aside, path);
}

function isTold(value: unknown): value is KeptTold {
  const { alert, worst, atMs } = (value ?? {}) as Partial<Record<string, unknown>>;
  return isAlert(alert) && isAlert(worst) && (atMs === null || isNumber(atMs));
}

function isAlert(value: unknown): value is AlertStatus {
  const { severity, burn, longS, shortS, state, sinceMs, longShare, shortShare } = (value ?? {}) as Partial<
    Record<string, unknown>
  >;
  return (
    (severity === 'page' || severity === 'ticket') &&
    state === 'firing' &&
    [burn, longS, shortS].every(isNumber) &&
    [sinceMs, longShare, shortShare].every((each) => each === null || isNumber(each))
  );
}

function isNumber(value: unknown): boolean {
  return typeof value === 'number' && Number.isFinite(value);
}
