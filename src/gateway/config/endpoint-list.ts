/**
 * A list of endpoints from outside the config: a watched file, or a call of the admin API. Understood and checked as the list in a
 * service is, with every mistake in one go. Pure, but for `readEndpointFile`, which reads one small file.
 */
import * as z from 'zod';
import { checkEndpointList, type Surroundings } from './endpoint-rules.ts';
import { endpointList, type Endpoint } from './endpoint-schema.ts';
import { MistakeList, type Mistake } from '../../reading/mistakes.ts';
import { readSmallFile } from '../../reading/small-file.ts';
import { addSchemaMistakes } from '../../reading/schema-mistakes.ts';
import { fileStart, readYaml, type Source } from '../../reading/yaml-source.ts';

export interface EndpointListPlace {
  readonly service: string;
  readonly around: Surroundings;
}

export interface EndpointsRead {
  /** Null if there are mistakes. */
  readonly endpoints: readonly Endpoint[] | null;
  readonly mistakes: readonly Mistake[];
}

const schema = endpointList(0);

/** `path` is absolute. A sentence part on why, if the file cannot be read at all. */
export function readEndpointFile(path: string, place: EndpointListPlace): EndpointsRead | string {
  const found = readSmallFile(path);
  return found.ok ? check(readYaml(found.text, path), path, place) : found.reason;
}

/** A list that a program gives. Mistakes have a path and no place. */
export function readEndpointValue(value: unknown, name: string, place: EndpointListPlace): EndpointsRead {
  return check({ value, locate: () => fileStart, mistakes: [], files: [] }, name, place);
}

function check({ value, locate, mistakes }: Source, name: string, place: EndpointListPlace): EndpointsRead {
  if (mistakes.length > 0) return { endpoints: null, mistakes };
  const list = new MistakeList(name, locate);
  const parsed = schema.safeParse(value);
  if (parsed.success) checkEndpointList(parsed.data, { ...place, path: [], list });
  else addSchemaMistakes(parsed.error.issues, value, list, z.toJSONSchema(schema, { io: 'input' }));
  return { endpoints: parsed.success && !list.hasErrors ? parsed.data : null, mistakes: list.toArray() };
}
