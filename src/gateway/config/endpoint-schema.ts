/** An endpoint as people write it: in a service, in a file of endpoints, in a call of the admin API. */
import * as z from 'zod';
import { count, duration, expects, flag, list, name, section } from '../../reading/values.ts';
import type { Address } from './address.ts';
import { address } from './values.ts';

/** One service's; the most that discovery may be allowed, too. */
export const SERVICE_ENDPOINTS_MAX = 10_000;

export interface Endpoint {
  readonly address: Address;
  readonly weight: number;
  readonly zone?: string | undefined;
  readonly priority: number;
  readonly backup: boolean;
  readonly connectionsMax?: number | undefined;
  /** In ms; `true` is as long as the gateway's own. */
  readonly drain: boolean | number;
}

/** Weights up to nginx's usual range; larger ones only make the cycle longer. */
export const WEIGHT_MAX = 1000;
/** More ranks of reserves than that nobody keeps. */
export const PRIORITY_MAX = 100;

/** As many as a listener may have clients. */
const CONNECTIONS_MAX = 1_000_000;

const endpointSchema = z
  .union([
    address('connect'),
    section({
      address: address('connect').describe('`host:port` of the server. Unique in its service.'),
      weight: count(0, WEIGHT_MAX)
        .prefault(1)
        .describe(
          'Share of the work relative to the other endpoints. 0 gets none, but that of pinned clients, and does not drain.',
        ),
      zone: name()
        .optional()
        .describe('Where the server is. Endpoints in the `zone` of this gateway are asked before those in others.'),
      priority: count(0, PRIORITY_MAX)
        .prefault(0)
        .describe(
          'Endpoints of priority 1 get work when less than 71 % of those of priority 0 are up (by weight), and so on.',
        ),
      backup: flag().prefault(false).describe('Gets work only when no other endpoint is up.'),
      connectionsMax: count(1, CONNECTIONS_MAX)
        .optional()
        .describe(
          'Most connections to this server, of all workers together. Requests beyond it go to other endpoints or wait (`limits.queue`, `timeouts.queue` of the service). Absent: `limits.connections` of the service, which is for each worker.',
        ),
      drain: z
        .union([flag(), duration({ min: 0 })], expects('true, false or a duration such as 30s'))
        .prefault(false)
        .describe(
          'No new work, and what is under way is finished within this time, then cut; `true` takes `drainTimeout`. Unlike `weight: 0` it ends: connections are closed and clients pinned by a cookie are sent elsewhere after half the time. See the guide on deploys.',
        ),
    }),
  ])
  .transform((given): Endpoint => ('port' in given ? endpointAt(given) : given));

/** One that nothing is said of but its address. */
function endpointAt(address: Address): Endpoint {
  return { address, weight: 1, priority: 0, backup: false, drain: false };
}

/** At least `min` of them. */
export function endpointList(min: number) {
  return list(endpointSchema, { what: 'endpoints', min, max: SERVICE_ENDPOINTS_MAX });
}
