/**
 * What a config says, for people who compare two of them: as YAML, with every default written out, times in ms and sizes in bytes.
 * Pure. Nothing that is secret: no token, no password of a store, no value of a field that proves who somebody is.
 */
import { stringify } from 'yaml';
import { isSecretKey } from '../../reading/schema-mistakes.ts';
import type { Config } from './load.ts';

const HIDDEN = '(secret)';
/** Fields of requests and answers whose values are credentials: routes and checks may set them. */
const CREDENTIALS =
  /^(proxy-)?authorization$|^(set-)?cookie$|password|passwd|credential|api-?key|private-?key|[-_]key$/i;

/** Whether the value of this key of a config, or of this field, parameter or cookie of requests, is to be shown to nobody. */
export function isCredential(name: string): boolean {
  return isSecretKey(name) || CREDENTIALS.test(name);
}

export function configText(config: Config): string {
  const { file: _, folder: _folder, texts: _texts, adminGrants: _grants, ...rest } = config;
  const {
    affinitySecrets: _secrets,
    storeUrls: _urls,
    otlpHeaders: _headers,
    alertReceivers: _receivers,
    ...values
  } = rest;
  const shown: unknown = JSON.parse(JSON.stringify(values, withoutSecrets));
  return stringify(shown, { lineWidth: 0, aliasDuplicateObjects: false });
}

function withoutSecrets(key: string, value: unknown): unknown {
  // What a check says once it is connected may be its password.
  if (isCredential(key) || (key === 'send' && typeof value === 'string')) return HIDDEN;
  // An address is read into its parts, and keeps how it was written.
  if (isAddress(value)) return value.text;
  // `scheme://user:password@host`, wherever an address is written.
  return typeof value === 'string' ? value.replace(/(?<=\/\/)[^/@\s]*@/g, `${HIDDEN}@`) : value;
}

function isAddress(value: unknown): value is { readonly text: string } {
  return typeof value === 'object' && value !== null && Object.keys(value).toSorted().join(' ') === 'host port text';
}
