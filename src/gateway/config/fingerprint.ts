/**
 * A short name for what a config says: the same on every machine that runs the same, whatever the order of keys or the folder
 * it is in. Certificates count by their content. Secrets do not: a name that everybody sees must not let anyone try them.
 */
import { createHash } from 'node:crypto';
import { relative } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { Config } from './load.ts';
import { isSecretKey } from '../../reading/schema-mistakes.ts';

/** 48 bits: enough to tell the versions of one gateway apart, and short enough to read out. */
const DIGITS = 12;

export function fingerprint(config: Config): string {
  const { folder, texts } = config;
  const certificates = Object.entries(texts)
    .filter(([, text]) => text.includes('-----BEGIN CERTIFICATE-----') && !text.includes('PRIVATE KEY-----'))
    .map(([path, text]) => [relative(folder, path), text]);
  const said = JSON.stringify([written(config), Object.fromEntries(certificates)], inOneOrder);
  return createHash('sha256').update(said).digest('hex').slice(0, DIGITS);
}

/** Whether two configs say the same, whatever certificates, keys and secrets are in the files that they name. */
export function saysTheSame(one: Config, other: Config): boolean {
  return isDeepStrictEqual(written(one), written(other));
}

/** Without what was read from elsewhere. */
function written(config: Config): object {
  const { file: _, folder: _folder, texts: _texts, adminGrants: _grants, affinitySecrets: _secrets, ...rest } = config;
  const { storeUrls: _urls, otlpHeaders: _headers, alertReceivers: _receivers, ...values } = rest;
  return values;
}

function inOneOrder(key: string, value: unknown): unknown {
  if (isSecretKey(key)) return undefined;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).toSorted(([one], [other]) => (one < other ? -1 : 1)));
}
