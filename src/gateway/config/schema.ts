/**
 * The config: one schema for `spillway.yaml` and `spillway.config.ts`. From it come the TypeScript types, the JSON Schema
 * that editors complete from, docs/configuration.md and the mistakes that `spillway check` lists. Rules that look at two
 * places at once are in `rules.ts`.
 */
import * as z from 'zod';
import type { JsonSchema } from '../../reading/schema-mistakes.ts';
import { alertsSchema } from './alert-schema.ts';
import { limitSchema } from './limit-schema.ts';
import { listenerSchema } from './listener-schema.ts';
import { secret } from './secret.ts';
import { routeSchema } from './route-schema.ts';
import { serviceSchema } from './service-schema.ts';
import { telemetrySchema } from './telemetry-schema.ts';
import { count, duration, expects, file, list, name, percentage, section, size, text } from '../../reading/values.ts';
import { adminAddress } from './values.ts';

export const adminSchema = section({
  address: adminAddress().describe(
    'Where metrics, health, state and the admin API are served: `host:port`, or `unix:PATH` for a socket only its owner may use (mode 0600). On loopback and a socket whoever reaches it may look, and changes take a token that the gateway makes for itself if none is set here; anything else needs one.',
  ),
  token: secret()
    .optional()
    .describe(
      'Secret for everything: shown as `Authorization: Bearer …`. Better not written here: `file:PATH` (mode 0600, else a warning) or `env:NAME`. As soon as one token is set, what none opens is closed. Absent, with no other token: the gateway makes one, in a file of its user.',
    ),
  readToken: secret()
    .optional()
    .describe('Secret for reading alone: state, history, metrics and explain. As `token`, and not the same.'),
  metricsToken: z
    .union([z.literal('none'), secret()])
    .optional()
    .describe('Secret for `/metrics` alone, for a scraper; `none` opens it to whoever reaches the address.'),
  pushToken: z
    .union([z.literal('none'), secret()])
    .optional()
    .describe(
      'Secret for pushing telemetry to `/v1/traces`, `/v1/metrics` and `/v1/logs` alone, for services; `none` opens it to whoever reaches the address. Tokens for reading do not open it.',
    ),
});

const accessLogOptions = section({
  target: text('stdout, or the path of a file', /^[^\p{Cc}]+$/u, { max: 4096 })
    .prefault('stdout')
    .describe('`stdout`, or a file that lines are appended to; its folder must exist.'),
  sample: percentage()
    .prefault('100%')
    .describe('Share of requests that are written. Failures (5xx and broken answers) always are, unless it is 0%.'),
  redactQuery: list(text('the name of a query parameter, or *', /^[!-~]+$/, { max: 256 }), {
    what: 'parameter names',
    max: 1000,
  })
    .prefault([])
    .describe('Query parameters whose values are not written, such as `[token]`; `["*"]` is all.'),
});

const accessLog = z
  .union([z.literal(['off', 'stdout', false], expects('off or stdout')), accessLogOptions])
  .transform((given): z.output<typeof accessLogOptions> | null => {
    if (given === 'off' || given === false) return null;
    return given === 'stdout' ? { target: 'stdout', sample: 1, redactQuery: [] } : given;
  });

const sloFile = text('the path of a file', /^[^\p{Cc}]+$/u, { max: 4096 });

export const configSchema = section({
  $schema: text('the address of the JSON Schema', /./)
    .optional()
    .describe('For editors: where the JSON Schema of this file is. Not used by Spillway.'),
  listeners: list(listenerSchema, { what: 'listeners', min: 1, max: 100 }).describe(
    'The addresses that accept connections.',
  ),
  services: list(serviceSchema, { what: 'services', max: 10_000 })
    .prefault([])
    .describe('Named sets of servers that answer. Absent: none; then every route redirects or answers by itself.'),
  routes: list(routeSchema, { what: 'routes', min: 1, max: 10_000 }).describe('Which request goes to which service.'),
  limits: list(limitSchema, { what: 'limits', max: 1000 })
    .prefault([])
    .describe(
      'How much may come, and from whom. A limit holds where a listener or route names it in `limits.requests`.',
    ),
  admin: adminSchema
    .optional()
    .describe('Metrics, health, state and the admin API, on an address of their own. Absent: none.'),
  accessLog: accessLog
    .prefault('off')
    .describe(
      'One JSON line per request: `off`, `stdout`, or a map of options. A full disk or a closed pipe never stops traffic.',
    ),
  telemetry: telemetrySchema.prefault({}).describe('Traces of requests, and where telemetry goes.'),
  slos: z
    .union([sloFile, list(sloFile, { what: 'files', max: 100 })])
    .transform((given): readonly string[] => (typeof given === 'string' ? [given] : given))
    .prefault([])
    .describe(
      'Files with the objectives of services, YAML or JSON as `spillway slo` reads them: evaluated each second, their budgets and alerts in `spillway slo status`, `/api/slo` and `/metrics`.',
    ),
  data: file()
    .optional()
    .describe(
      'Folder in which what was counted is kept, so that budgets and charts outlive the process, what alerts were told, and the admin token if the gateway made it: at most 256 MB, of one gateway at a time. It is made if it is not there. Absent: in memory. Takes effect with the next start.',
    ),
  ledger: file()
    .optional()
    .describe(
      'File in which the ledger of error budgets is kept: what spent them, and planned work that counts for none. It is made if it is not there; who may write there decides what counts. Absent: `ledger.ndjson` in the folder under `data`; without that in memory, and gone with the process. Takes effect with the next start.',
    ),
  alerts: alertsSchema
    .prefault([])
    .describe('Who is told when an error budget is spent too fast. Absent: nobody, but for what asks `/api/slo`.'),
  workers: z
    .union([z.literal('auto', expects('auto')), count(1, 256)])
    .prefault('auto')
    .describe(
      'Data-plane workers, each a thread with its own event loop. `auto` is one per core this process may use.',
    ),
  zone: name()
    .optional()
    .describe('Where this gateway is. Endpoints of the same zone are asked first; absent, zones do not count.'),
  user: text('the name or number of a user', /^([a-z_][a-z0-9_-]{0,31}|[0-9]{1,10})$/)
    .optional()
    .describe(
      'User to become once every listener is bound, when started as root for a port below 1024. Afterwards no worker that is replaced can bind it again: the capability CAP_NET_BIND_SERVICE is the better way.',
    ),
  // Kubernetes kills 30 s after it asks: this leaves time to end in order.
  drainTimeout: duration({ min: 0 })
    .prefault('25s')
    .describe(
      'How long running requests and tunnels may take when Spillway ends, a listener or an endpoint leaves the config, or an endpoint drains and no other time is given. Then they are cut.',
    ),
  // 10,000 slow clients with one 16 kB buffer each, and as much again.
  memoryMax: size({ min: 2 ** 20 })
    .prefault('256mb')
    .describe('Most bytes in buffers, per worker. Above it reading pauses and new requests get 503.'),
  pseudonym: text('a name of letters, digits, dot, dash or underscore', /^[A-Za-z0-9._-]{1,64}$/)
    .optional()
    .describe(
      'What this gateway calls itself in `Via`; a request that carries it has gone in a circle (508). Default: unique per process.',
    ),
});

/** What a config file says: defaults left out, quantities as people write them. */
export type ConfigInput = z.input<typeof configSchema>;
/** What it means: every default applied, ms and bytes. Paths are still relative to the file. */
export type ConfigValues = z.output<typeof configSchema>;
export type Admin = z.output<typeof adminSchema>;

/** The schema as editors get it: what an input may be. */
export function configJsonSchema(): JsonSchema {
  return z.toJSONSchema(configSchema, { io: 'input', target: 'draft-2020-12' });
}
