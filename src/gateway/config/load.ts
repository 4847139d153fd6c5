/**
 * From a file to a config: read, understood, checked against the schema and the rules, with every mistake in one go.
 *
 * A config that has errors is null, and what ran before goes on. Everything here may be called again and again: it keeps
 * nothing between calls.
 */
import { availableParallelism, networkInterfaces } from 'node:os';
import { dirname, extname, resolve } from 'node:path';
import { systemClock } from '../../kernel/clock.ts';
import type { Clock } from '../../kernel/clock.ts';
import { SpillwayError } from '../../kernel/errors.ts';
import type { Slo } from '../../observe/slo/objective.ts';
import type { AlertReceiver } from '../alerts/alerting.ts';
import { readAccounts } from '../user-account.ts';
import { alertReceivers } from './alert-rules.ts';
import { adminGrants } from './admin-grants.ts';
import type { AdminGrant } from './admin-grants.ts';
import { MistakeList } from '../../reading/mistakes.ts';
import type { Mistake } from '../../reading/mistakes.ts';
import { readModule } from '../../reading/module-source.ts';
import { partsFrom } from './parts.ts';
import { affinitySecrets } from './affinity-rules.ts';
import { storeUrls } from './limit-rules.ts';
import { type OtlpHeaders, otlpHeaders } from './telemetry-rules.ts';
import { findRedisClient } from '../limits/redis-client.ts';
import { readSmallFile } from '../../reading/small-file.ts';
import { objectivesOf } from './objective-rules.ts';
import { FileSet } from './pem.ts';
import { checkRules } from './rules.ts';
import { addSchemaMistakes } from '../../reading/schema-mistakes.ts';
import { configJsonSchema, configSchema } from './schema.ts';
import type { ConfigInput, ConfigValues } from './schema.ts';
import { fileStart, readYaml } from '../../reading/yaml-source.ts';
import type { Source } from '../../reading/yaml-source.ts';

/** A valid config: every default applied, every number in ms or bytes, every file read. Holds keys and the token. */
export interface Config extends ConfigValues {
  /** As it was named; for messages. */
  readonly file: string;
  /** Absolute; paths in the config are relative to it. */
  readonly folder: string;
  /** What was read with it, by absolute path: certificates, keys, the token file. */
  readonly texts: Readonly<Record<string, string>>;
  /** What `admin` says of who may do what, with the tokens themselves. */
  readonly adminGrants: readonly AdminGrant[];
  /** What affinity cookies are made with, by service. */
  readonly affinitySecrets: Readonly<Record<string, string>>;
  /** Where limits count that have a store, by limit; with passwords. */
  readonly storeUrls: Readonly<Record<string, string>>;
  /** What proves to the collector of telemetry who sends. */
  readonly otlpHeaders: OtlpHeaders;
  /** What the files under `slos` say. */
  readonly objectives: readonly Slo[];
  /** Who is told of their alerts, with addresses that may be secrets. */
  readonly alertReceivers: readonly AlertReceiver[];
}

export interface Loaded {
  /** Null if there are errors. */
  readonly config: Config | null;
  /** Errors and warnings in the order of the file. */
  readonly mistakes: readonly Mistake[];
  /** Absolute paths of everything the config came from, found or not: what to watch. */
  readonly files: readonly string[];
}

export interface LoadOptions {
  /** @defaultValue the machine's clock */
  readonly clock?: Clock;
  /** For secrets that are kept in it. @defaultValue that of the process */
  readonly environment?: NodeJS.ProcessEnv;
}

export interface ParseOptions extends LoadOptions {
  /** What the text is called in messages; paths in it are relative to its folder. @defaultValue `spillway.yaml` */
  readonly file?: string;
}

/** Where `spillway` looks when no file is named, in this order. */
export const configNames = [
  'spillway.yaml',
  'spillway.yml',
  'spillway.config.ts',
  'spillway.config.js',
  'spillway.config.mjs',
] as const;

/** The config file in `folder`, or null. */
export function findConfig(folder: string): string | null {
  return configNames.find((name) => readSmallFile(resolve(folder, name)).ok) ?? null;
}

/**
 * Loads `spillway.yaml`, `.yml`, `.json`, or a module (`.ts`, `.js`, `.mjs`) whose default export is the config.
 * Throws `CONFIG_NOT_FOUND` if the file cannot be read; everything that is wrong in it is a mistake in the answer. `signal` ends a module
 * that runs still, and then it rejects with the signal's reason.
 */
export async function loadConfig(
  file: string,
  options: LoadOptions & { readonly signal?: AbortSignal } = {},
): Promise<Loaded> {
  const { clock = systemClock, signal } = options;
  const path = resolve(file);
  const found = readSmallFile(path);
  if (!found.ok) throw new SpillwayError('CONFIG_NOT_FOUND', `The config file ${file} ${found.reason}.`);
  const isModule = /^\.[cm]?[jt]s$/.test(extname(path));
  const source = isModule ? await readModule(path, found.text, file, { clock, signal }) : readYaml(found.text, file);
  return check(source, file, options);
}

/** As `loadConfig`, for YAML or JSON that is in memory already. */
export function parseConfig(text: string, options: ParseOptions = {}): Loaded {
  const { file = 'spillway.yaml' } = options;
  return check(readYaml(text, file), file, options);
}

/** As `loadConfig`, for a config that a program has made. Mistakes have a path and no place. */
export function resolveConfig(input: ConfigInput, options: ParseOptions = {}): Loaded {
  const { file = 'config' } = options;
  const loaded = check({ value: input, locate: () => fileStart, mistakes: [], files: [] }, file, options);
  // There is no such file: only what the config names.
  return { ...loaded, files: loaded.files.slice(1) };
}

function check(source: Source, file: string, options: LoadOptions): Loaded {
  const { clock = systemClock, environment = process.env } = options;
  const path = resolve(file);
  const unread = { config: null, mistakes: source.mistakes, files: [path, ...source.files] };
  if (source.mistakes.length > 0) return unread;
  const { value, locate } = source;
  const list = new MistakeList(file, locate);
  if (value === null || value === undefined) {
    list.error([], { message: 'the config is empty', expected: 'listeners, services and routes' });
    return { ...unread, mistakes: list.toArray() };
  }
  const files = new FileSet(dirname(path));
  const parsed = configSchema.safeParse(value);
  if (!parsed.success) addSchemaMistakes(parsed.error.issues, value, list, configJsonSchema());
  const parts = partsFrom(value, parsed.success ? parsed.data : null);
  const machine = {
    ownAddresses: ownAddresses(),
    accounts: readAccounts(),
    cores: availableParallelism(),
    redisClient: findRedisClient(),
  };
  checkRules(parts, list, { files, environment, nowMs: clock.wallMs(), ...machine });
  const values = parsed.success && !list.hasErrors ? parsed.data : null;
  return {
    config:
      values === null
        ? null
        : {
            ...values,
            file,
            folder: dirname(path),
            texts: files.texts,
            adminGrants: adminGrants(values.admin, files, environment),
            affinitySecrets: affinitySecrets(values.services, files, environment),
            storeUrls: storeUrls(values.limits, { files, environment }),
            otlpHeaders: otlpHeaders(values.telemetry, { files, environment }),
            objectives: objectivesOf(values.slos, files),
            alertReceivers: alertReceivers(values.alerts, { files, environment }),
          },
    mistakes: list.toArray(),
    files: [path, ...source.files, ...files.paths, ...(values === null ? otherFiles(list, file) : [])],
  };
}

/** Files that are not part of the config, and keep it from being used: their repair is a change. */
function otherFiles(list: MistakeList, file: string): readonly string[] {
  return [...new Set(list.toArray().map((mistake) => mistake.file))].filter((each) => each !== file);
}

export function ownAddresses(): readonly string[] {
  return Object.values(networkInterfaces()).flatMap((addresses = []) => addresses.map(({ address }) => address));
}
