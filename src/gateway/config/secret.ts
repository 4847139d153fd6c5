/**
 * Secrets a config has or points at: the text itself, `file:PATH` or `env:NAME`. Read with the config, so a changed file
 * counts from the next reload on.
 *
 * Invariant: no message repeats a secret, nor a value that may have been meant as one.
 */
import * as z from 'zod';
import type { FileSet } from './pem.ts';
import type { Problem } from '../../reading/values.ts';

export type Secret =
  | { readonly from: 'text'; readonly text: string }
  | { readonly from: 'file'; readonly path: string }
  | { readonly from: 'env'; readonly name: string };

export type SecretText =
  | { readonly ok: true; readonly text: string }
  | { readonly ok: false; readonly message: string; readonly expected: string };

/** Sixteen random characters are out of reach of guessing over a network; beyond a thousand it is not a secret but a file. */
const usable = /^[!-~]{16,1024}$/;
const expected = 'a secret of 16 to 1024 visible ASCII characters';
const pointer = /^(file|env):(.*)$/s;

export function secret(): z.ZodType<Secret, string> {
  return pointedText({
    expected,
    accepts: (text) => usable.test(text),
    meta: { pattern: '^[!-~]{16,1024}$|^file:.+$|^env:.+$', examples: ['file:admin-token'] },
  });
}

export interface PointedText {
  readonly expected: string;
  readonly accepts: (text: string) => boolean;
  /** For editors. */
  readonly meta: { readonly pattern?: string; readonly examples: string[] };
}

/** A text that is not to be shown, written here, in a file or in a variable. */
export function pointedText({ expected: what, accepts, meta }: PointedText): z.ZodType<Secret, string> {
  const params: Problem = { expected: `${what}, or file:PATH or env:NAME` };
  return z
    .string({ error: () => `expected ${params.expected}` })
    .meta(meta)
    .transform((text, context) => {
      const parsed = parsePointed(text);
      if (parsed !== null && (parsed.from !== 'text' || accepts(parsed.text))) return parsed;
      context.addIssue({ code: 'custom', params: { ...params } });
      return z.NEVER;
    });
}

function parsePointed(text: string): Secret | null {
  const [, scheme, rest = ''] = pointer.exec(text) ?? [];
  if (scheme === 'file') return /^[^\p{Cc}]{1,4096}$/u.test(rest) ? { from: 'file', path: rest } : null;
  if (scheme === 'env') return /^[A-Za-z_]\w{0,255}$/.test(rest) ? { from: 'env', name: rest } : null;
  return { from: 'text', text };
}

export function readSecret(given: Secret, files: FileSet, environment: NodeJS.ProcessEnv): SecretText {
  return readPointed(given, { files, environment }, { what: 'token', expected, accepts: (text) => usable.test(text) });
}

/** Where texts may be pointed to. */
export interface PointedPlaces {
  readonly files: FileSet;
  readonly environment: NodeJS.ProcessEnv;
}

/** Space around what a file or variable holds is ignored. */
export function readPointed(
  given: Secret,
  { files, environment }: PointedPlaces,
  { what, expected: wanted, accepts }: Omit<PointedText, 'meta'> & { readonly what: string },
): SecretText {
  if (given.from === 'text') return { ok: true, text: given.text };
  const found = given.from === 'file' ? ofFile(given.path, files) : ofVariable(given.name, environment);
  if (found.text === null) return { ok: false, message: `${found.where} ${found.reason}`, expected: wanted };
  const text = found.text.trim();
  if (accepts(text)) return { ok: true, text };
  return { ok: false, message: `${found.where} holds no usable ${what}`, expected: wanted };
}

interface Found {
  readonly where: string;
  readonly text: string | null;
  readonly reason: string;
}

function ofFile(path: string, files: FileSet): Found {
  const found = files.read(path);
  const where = `the file ${files.pathOf(path)}`;
  return found.ok ? { where, text: found.text, reason: '' } : { where, text: null, reason: found.reason };
}

function ofVariable(name: string, environment: NodeJS.ProcessEnv): Found {
  return { where: `the environment variable ${name}`, text: environment[name] ?? null, reason: 'is not set' };
}
