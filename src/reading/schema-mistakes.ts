/** What the schema says about a value, as mistakes that people can act on. */
import type * as z from 'zod';
import { formatPath, oneOfNames, show } from './mistakes.ts';
import type { Finding, MistakeList, Path } from './mistakes.ts';
import type { Problem } from './values.ts';

type Issue = z.core.$ZodIssue;
export type JsonSchema = z.core.JSONSchema.BaseSchema;

/** Keys of a config whose values are never shown, hashed into a name or compared in public: the address of a store has its password,
 * and that of a receiver of alerts is one. */
export function isSecretKey(key: string): boolean {
  return /(token|secret)$|^(redis|webhook|slack|alertmanager)$/i.test(key);
}

/** `schema` is what `raw` should be, as editors get it. */
export function addSchemaMistakes(issues: readonly Issue[], raw: unknown, list: MistakeList, schema: JsonSchema): void {
  for (const issue of issues.flatMap((each) => flatten(each, []))) addIssue(issue, raw, schema, list);
}

/** Of a union, the issues of the one branch that was meant; the union itself if none or several could be. */
function flatten(issue: Issue, before: Path): Issue[] {
  const path = [...before, ...(issue.path as Path)];
  if (issue.code !== 'invalid_union') return [{ ...issue, path }];
  const meant = issue.errors.filter(
    (errors) => !errors.some(({ path, code }) => path.length === 0 && isOtherKind(code)),
  );
  const [branch] = meant;
  if (branch !== undefined && meant.length === 1) return branch.flatMap((each) => flatten(each, path));
  return [{ ...issue, path }];
}

function isOtherKind(code: string | undefined): boolean {
  return code === 'invalid_type' || code === 'invalid_value' || code === 'invalid_union';
}

function addIssue(issue: Issue, raw: unknown, schema: JsonSchema, list: MistakeList): void {
  const path = issue.path as Path;
  if (issue.code === 'unrecognized_keys') {
    const names = keysAt(schema, path);
    for (const key of issue.keys) {
      const where = path.length === 0 ? 'at the top level' : `in ${formatPath(path)}`;
      const finding = (): Finding => ({
        message: `unknown key ${show(key)} ${where}`,
        ...oneOfNames(key, names, 'one of'),
      });
      list.misread([...path, key], finding, 'key');
    }
    return;
  }
  if (issue.code === 'invalid_key') {
    const key = path.at(-1);
    const wanted = issue.issues.slice(0, 1).map((each) => describe(each, key))[0];
    list.misread(
      path,
      { message: `${formatPath(path)} has a name that is not valid`, found: show(key), ...wanted },
      'key',
    );
    return;
  }
  const found = valueAt(raw, path);
  const wanted = describe(issue, found);
  if (found === undefined) {
    const name = formatPath(path) || 'the config';
    list.misread(path, { message: `${name} is missing`, expected: wanted.expected ?? null });
    return;
  }
  const shown = isSecret(path) ? 'a value that is not shown' : showFound(found, issue);
  list.misread(path, { message: `${formatPath(path) || 'the config'} is not valid`, found: shown, ...wanted });
}

function isSecret(path: Path): boolean {
  return isSecretKey(String(path.at(-1)));
}

function showFound(found: unknown, issue: Issue): string {
  if (Array.isArray(found) && found.length > 0 && issue.code === 'too_big') return `a list of ${found.length}`;
  return show(found);
}

function describe(issue: Issue, found: unknown): Pick<Finding, 'expected' | 'suggestion'> {
  const problem = issue.code === 'custom' ? (issue.params as Problem | undefined) : undefined;
  if (problem !== undefined) return { expected: problem.expected, suggestion: problem.suggestion ?? null };
  const ours = issue.message.startsWith('expected ') ? { expected: issue.message.slice('expected '.length) } : null;
  if (issue.code === 'invalid_value') return { ...oneOfNames(found, issue.values.map(String), 'one of'), ...ours };
  if (ours !== null) return { ...ours, suggestion: inOtherLetters(issue, found) };
  if (issue.code === 'invalid_union') {
    const branches = issue.errors.flatMap((errors) => errors.slice(0, 1)).map((each) => describe(each, found));
    const suggestion = branches.find((branch) => typeof branch.suggestion === 'string')?.suggestion ?? null;
    return { expected: branches.map(({ expected }) => expected).join(' or '), suggestion };
  }
  return { expected: issue.message };
}

/** The same word in capital or small letters, if only that was wrong. */
function inOtherLetters(issue: Issue, found: unknown): string | null {
  const pattern = issue.code === 'invalid_format' ? issue.pattern : undefined;
  const [, source, flags] = /^\/(.*)\/([a-z]*)$/s.exec(pattern ?? '') ?? [];
  if (source === undefined || typeof found !== 'string') return null;
  const accepts = new RegExp(source, flags);
  return [found.toUpperCase(), found.toLowerCase()].find((word) => accepts.test(word)) ?? null;
}

function valueAt(raw: unknown, path: Path): unknown {
  let value: unknown = raw;
  for (const step of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return undefined;
    value = (value as Readonly<Record<string | number, unknown>>)[step];
  }
  return value;
}

/** The keys allowed in the map at `path`. */
function keysAt(schema: JsonSchema, path: Path): readonly string[] {
  let branches: JsonSchema[] = [schema];
  for (const step of path) {
    branches = branches.flatMap(alternatives).flatMap((branch) => {
      const next = typeof step === 'number' ? branch.items : (branch.properties?.[step] ?? branch.additionalProperties);
      return typeof next === 'object' && !Array.isArray(next) ? [next] : [];
    });
  }
  const keys = branches.flatMap(alternatives).flatMap((branch) => Object.keys(branch.properties ?? {}));
  return [...new Set(keys)].filter((key) => key !== '$schema');
}

function alternatives(schema: JsonSchema): JsonSchema[] {
  return [schema, ...(schema.anyOf ?? [])];
}
