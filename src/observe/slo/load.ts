/**
 * From a file to objectives: read, understood, checked, with every mistake in one go and in its place.
 *
 * Which of the three forms it is, a file says itself: `apiVersion: openslo/v1`, `version: prometheus/v1`, or neither.
 */
import { extname, resolve } from 'node:path';
import * as z from 'zod';
import { type Clock, systemClock } from '../../kernel/clock.ts';
import { SpillwayError } from '../../kernel/errors.ts';
import { type Mistake, MistakeList, oneOfNames, show } from '../../reading/mistakes.ts';
import { readModule } from '../../reading/module-source.ts';
import { addSchemaMistakes } from '../../reading/schema-mistakes.ts';
import { readSmallFile } from '../../reading/small-file.ts';
import { fileStart, readYamlStream, type Source } from '../../reading/yaml-source.ts';
import type { SloFile } from './objective.ts';
import { documentSchemas, type SloDocument } from './openslo-schema.ts';
import { OpenSloParts } from './openslo-parts.ts';
import { fromOpenSlo, type Numbered } from './openslo.ts';
import { fromShortForm } from './short-form.ts';
import { checkSlos, type Placed } from './slo-rules.ts';
import { type SloInput, sloSchema } from './slo-schema.ts';
import { fromSloth, slothSchema } from './sloth.ts';

export interface LoadedSlos {
  /** Null if there are errors. */
  readonly slos: SloFile | null;
  /** Errors and warnings in the order of the file. */
  readonly mistakes: readonly Mistake[];
}

/**
 * Reads objectives: YAML or JSON, or a module (`.ts`, `.js`, `.mjs`) whose default export is what `defineSlo` takes.
 * Throws `CONFIG_NOT_FOUND` if the file cannot be read; everything that is wrong in it is a mistake in the answer.
 */
export async function loadSlos(file: string, options: { readonly clock?: Clock } = {}): Promise<LoadedSlos> {
  const { clock = systemClock } = options;
  const path = resolve(file);
  const found = readSmallFile(path);
  if (!found.ok) throw new SpillwayError('CONFIG_NOT_FOUND', `The file ${file} ${found.reason}.`);
  const isModule = /^\.[cm]?[jt]s$/.test(extname(path));
  return isModule ? check(await readModule(path, found.text, file, { clock }), file) : parseSlos(found.text, file);
}

/** As `loadSlos`, for YAML or JSON that is in memory already. */
export function parseSlos(text: string, file: string): LoadedSlos {
  const stream = readYamlStream(text, file);
  const documents = stream.value as readonly unknown[] | undefined;
  if (documents === undefined || documents.length > 1 || isOpenSlo(documents[0])) return check(stream, file);
  // One document is what it holds: no path needs to say that it is the first.
  return check({ ...stream, value: documents[0], locate: (way, part) => stream.locate([0, ...way], part) }, file);
}

/** As `loadSlos`, for objectives that a program has made. Mistakes have a path and no place. */
export function resolveSlos(input: SloInput, file = 'slo'): LoadedSlos {
  return check({ value: input, locate: () => fileStart, mistakes: [], files: [] }, file);
}

function check({ value, locate, mistakes }: Source, file: string): LoadedSlos {
  if (mistakes.length > 0) return { slos: null, mistakes };
  const list = new MistakeList(file, locate);
  const placed = understand(value, list);
  checkSlos(placed, list);
  const [first] = placed;
  const usable = !list.hasErrors && first !== undefined;
  return {
    slos: usable ? { file, service: first.slo.service, slos: placed.map(({ slo }) => slo) } : null,
    mistakes: list.toArray(),
  };
}

function understand(value: unknown, list: MistakeList): readonly Placed[] {
  if (value === null || value === undefined) {
    list.error([], { message: 'the file is empty', expected: 'a service and its objectives' });
    return [];
  }
  if (Array.isArray(value)) return understandStream(value, list);
  const form = (value as { readonly version?: unknown }).version;
  if (form !== undefined) return accepted(slothSchema, value, list, fromSloth);
  return accepted(sloSchema, value, list, fromShortForm);
}

function accepted<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  list: MistakeList,
  from: (values: z.output<Schema>, list: MistakeList) => readonly Placed[],
): readonly Placed[] {
  const parsed = schema.safeParse(value);
  if (parsed.success) return from(parsed.data, list);
  addSchemaMistakes(parsed.error.issues, value, list, z.toJSONSchema(schema, { io: 'input' }));
  return [];
}

function isOpenSlo(document: unknown): boolean {
  return typeof document === 'object' && document !== null && ('apiVersion' in document || 'kind' in document);
}

function understandStream(documents: readonly unknown[], list: MistakeList): readonly Placed[] {
  const slos: Numbered<SloDocument>[] = [];
  const parts = new OpenSloParts();
  for (const [at, document] of documents.entries()) {
    const kind = (document as { readonly kind?: unknown } | null)?.kind;
    const schema =
      typeof kind === 'string' && Object.hasOwn(documentSchemas, kind)
        ? documentSchemas[kind as keyof typeof documentSchemas]
        : null;
    if (schema === null) {
      const names = oneOfNames(kind, Object.keys(documentSchemas), 'one of');
      list.error([at, 'kind'], { message: 'a document is not one of OpenSLO v1', found: show(kind), ...names });
      continue;
    }
    const parsed = schema.safeParse(document);
    if (!parsed.success) {
      const issues = parsed.error.issues.map((issue) => ({ ...issue, path: [at, ...issue.path] }));
      const around = { type: 'array', items: z.toJSONSchema(schema, { io: 'input' }) } as const;
      addSchemaMistakes(issues, documents, list, around);
    } else if (parsed.data.kind === 'SLO') slos.push({ document: parsed.data, at });
    else parts.add(parsed.data, [at], list);
  }
  // What else would be said could come of a document that was not understood.
  if (list.hasErrors) return [];
  if (slos.length === 0) {
    list.error([], { message: 'the file has no objective', expected: 'a document of kind SLO' });
  }
  return fromOpenSlo(slos, parts, list);
}
