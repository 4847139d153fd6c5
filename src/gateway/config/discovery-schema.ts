/** `discovery` of a service: where it learns its endpoints from while it runs. The comment beside a default says why that number. */
import * as z from 'zod';
import { SERVICE_ENDPOINTS_MAX } from './endpoint-schema.ts';
import { count, expects, file, oneOf, section } from './values.ts';

export const discoverySchema = section({
  file: file()
    .optional()
    .describe('Take them from a file of YAML or JSON with a list as in `endpoints`, and again when it changes.'),
  api: z
    .literal(true, expects('true'))
    .optional()
    .describe('Be told by the admin API: `PUT`, `POST` and `DELETE` of `/api/services/NAME/endpoints`.'),
  // Ten times a large service; a broken or hostile source gets no further.
  max: count(1, SERVICE_ENDPOINTS_MAX)
    .prefault(1000)
    .describe('Most endpoints that are taken from it. What is above is left out, and said.'),
  whenEmpty: oneOf(['keep', 'remove'])
    .prefault('keep')
    .describe(
      'What an answer without any endpoint means. `keep`: a mistake of the source, so the last endpoints stay. `remove`: there are none.',
    ),
});

export type Discovery = z.output<typeof discoverySchema>;

/** Where the endpoints of a service come from, in a word or two: `file endpoints.yaml`, `api`. */
export function describeDiscovery({ file: path }: Discovery): string {
  return path === undefined ? 'api' : `file ${path}`;
}
