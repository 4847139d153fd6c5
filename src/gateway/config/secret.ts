/**
 * Secrets a config has or points at: the text itself, `file:PATH` or `env:NAME`. Read with the config, so a changed file
 * counts from the next reload on.
 *
 * Invariant: no message repeats a secret, nor a value that may have been meant as one.
 */
import * as z from 'zod';
import type { FileSet } from './pem.ts';
import type { Problem } from './values.ts';

export type Secret =
  | { readonly from: 'text'; readonly text: string }
  | { readonly from: 'file'; readonly path: string }
  | { readonly from: 'env'; readonly name: string };

export type SecretText =
  | { readonly ok: true; readonly text: string }
  | { readonly ok: false; readonly message: string; readonly expected: string };

/** Keys of a config whose values are never shown, hashed into a name or compared in public. */
export function isSecretKey(key: string): boolean {
  return /(token|secret)$/i.test(key);
}

/** Sixteen random characters are out of reach of guessing over a network; beyond a thousand it is not a secret but a file. */
const usable = /^[!-~]{16,1024}$/;
const expected = 'a secret of 16 to 1024 visible ASCII characters';
const pointer = /^(file|env):(.*)$/s;

export function secret(): z.ZodType<Secret, string> {
  return z
    .string({ error: () => `expected ${expected}, or file:PATH or env:NAME` })
    .meta({ pattern: '^[!-~]{16,1024}$|^file:.+$|^env:.+$', examples: ['file:admin-token'] })
    .transform((text, context) => {
      const parsed = parseSecret(text);
      if (parsed !== null) return parsed;
      const params: Problem = { expected: `${expected}, or file:PATH or env:NAME` };
      context.addIssue({ code: 'custom', params: { ...params } });
      return z.NEVER;
    });
}

function parseSecret(text: string): Secret | null {
  const [, scheme, rest = ''] = pointer.exec(text) ?? [];
  if (scheme === 'file') return /^[^\p{Cc}]{1,4096}$/u.test(rest) ? { from: 'file', path: rest } : null;
  if (scheme === 'env') return /^[A-Za-z_]\w{0,255}$/.test(rest) ? { from: 'env', name: rest } : null;
  return usable.test(text) ? { from: 'text', text } : null;
}

/** Space around what a file or variable holds is ignored. */
export function readSecret(given: Secret, files: FileSet, environment: NodeJS.ProcessEnv): SecretText {
  if (given.from === 'text') return { ok: true, text: given.text };
  const found = given.from === 'file' ? ofFile(given.path, files) : ofVariable(given.name, environment);
  if (found.text === null) return { ok: false, message: `${found.where} ${found.reason}`, expected };
  const text = found.text.trim();
  if (usable.test(text)) return { ok: true, text };
  return { ok: false, message: `${found.where} holds no usable token`, expected };
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
