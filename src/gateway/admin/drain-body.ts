/** The bodies of `POST /api/drain` and `POST /api/undrain`: which endpoint, and how long it may take. */
import { parseDuration } from '../../kernel/units.ts';
import type { DrainRequest, EndpointName } from '../control/drains.ts';
import { readObject } from './json-body.ts';

const EXAMPLE = '{"endpoint": "10.0.0.11:3000", "service": "shop", "within": "30s"}';
/** What a timer holds. */
const WITHIN_MS_MAX = 24 * 86_400_000;

/** Or a sentence on what is wrong with it. */
export function readDrainRequest(body: Buffer): DrainRequest | string {
  const given = readObject(body, ['endpoint', 'service', 'within', 'force'], EXAMPLE);
  if (typeof given === 'string') return given;
  const name = nameOf(given);
  if (typeof name === 'string') return name;
  const { within, force = false } = given;
  if (typeof force !== 'boolean') return 'force must be true or false.';
  if (within === undefined) return { ...name, force };
  const withinMs = parseDuration(typeof within === 'string' ? within : '');
  if (!withinMs.ok || withinMs.value > WITHIN_MS_MAX) return 'within must be a duration from 0s to 24d, such as 30s.';
  return { ...name, force, withinMs: withinMs.value };
}

/** Or a sentence on what is wrong with it. */
export function readEndpointName(body: Buffer): EndpointName | string {
  const given = readObject(body, ['endpoint', 'service'], EXAMPLE.replace(', "within": "30s"', ''));
  return typeof given === 'string' ? given : nameOf(given);
}

function nameOf({
  endpoint,
  service,
}: {
  readonly endpoint?: unknown;
  readonly service?: unknown;
}): EndpointName | string {
  if (typeof endpoint !== 'string') return 'endpoint must be the address of one, as the config has it.';
  if (service === undefined) return { endpoint };
  return typeof service === 'string' ? { endpoint, service } : 'service must be the name of one.';
}
