/**
 * Writes what is made from the config's schema: `schema.json`, which editors complete from, and `docs/configuration.md`.
 * `node scripts/config-reference.ts` writes them; test/config-reference.test.ts holds them equal to the code.
 */
import { writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { configJsonSchema } from '../src/gateway/config/schema.ts';
import { configTemplate } from '../src/gateway/config/template.ts';
import { durationPattern, percentagePattern, sizePattern } from '../src/kernel/units.ts';

type Schema = ReturnType<typeof configJsonSchema>;

/** The text of `schema.json`. */
export function schemaText(): string {
  const { $schema, ...rest } = configJsonSchema();
  const title = 'Spillway config';
  const description = 'Who listens, which servers answer, which request goes where. See docs/configuration.md.';
  return `${JSON.stringify({ $schema, title, description, ...rest }, null, 2)}\n`;
}

const intro = `# Configuration

<!-- Made from the schema by scripts/config-reference.ts: change the schema, then run it. -->

One file says everything: \`spillway.yaml\`, or \`spillway.config.ts\` with full types. Both have the same options.

\`\`\`yaml
${configTemplate.trimEnd()}
\`\`\`

The same in TypeScript (erasable syntax only: Node runs it as it is):

\`\`\`ts
import { defineConfig } from 'spillway';

export default defineConfig({
  listeners: [{ name: 'web', address: '127.0.0.1:8080' }],
  services: [{ name: 'app', endpoints: ['127.0.0.1:9001', { address: '127.0.0.1:9002', weight: 3 }] }],
  routes: [{ match: { path: '/*' }, service: 'app' }],
});
\`\`\`

- **Durations** have a unit: \`500ms\`, \`1.5s\`, \`2m\`, \`1h\`, \`1d\`. **Sizes** too: \`8kb\`, \`10mb\`, \`1gb\` (1 kb is 1024 bytes). **Percentages** end in \`%\`.
- **Paths** of files are relative to the config file. Certificates and keys are read with it, and again when they change.
- **A mistake** changes nothing: \`spillway check\` lists every one with its place, what was found and what was expected, and a reload keeps the old config.
- **An IPv6 address** is written in brackets and, in YAML, in quotes: \`"[::1]:8080"\`.
- **Secrets** belong in files with mode 0600 (\`key\`, \`token: file:PATH\`) or the environment (\`token: env:NAME\`), not in this file. None is ever printed.
- **An editor** completes and checks the file from the JSON Schema: begin it with \`# yaml-language-server: $schema=./node_modules/spillway/schema.json\`.
- **Warnings** do not keep a config from being used. They name what was probably not meant, such as a service without a route.

Every option has a finite default; the sentence beside it says what it goes with.
`;

/** The text of `docs/configuration.md`. */
export function configurationPage(): string {
  return `${intro}${sectionsOf(configJsonSchema(), '').join('')}`;
}

function sectionsOf(schema: Schema, path: string): string[] {
  const table = Object.entries(schema.properties ?? {}).map(([key, option]) => {
    const required = schema.required?.includes(key) === true;
    return row(key, option as Schema, required, path);
  });
  const title = path === '' ? '## The file' : `${path.includes('.') ? '###' : '##'} \`${path}\``;
  const head = `\n${title}\n\n| option | value | default | meaning |\n|---|---|---|---|\n`;
  const below = Object.entries(schema.properties ?? {}).flatMap(([key, option]) => {
    const inner = mapIn(option as Schema);
    return inner === null ? [] : sectionsOf(inner.schema, `${path === '' ? '' : `${path}.`}${key}${inner.suffix}`);
  });
  return [head + table.join(''), ...below];
}

/** The map that an option is, or is a list of, or may be. */
function mapIn(schema: Schema): { readonly schema: Schema; readonly suffix: string } | null {
  if (schema.properties !== undefined) return { schema, suffix: '' };
  for (const branch of schema.anyOf ?? []) {
    const found = mapIn(branch);
    if (found !== null) return found;
  }
  const items = schema.items;
  const found = typeof items === 'object' && !Array.isArray(items) ? mapIn(items) : null;
  return found === null ? null : { ...found, suffix: `[]${found.suffix}` };
}

function row(key: string, option: Schema, required: boolean, path: string): string {
  const { default: byDefault, description } = option;
  if (description === undefined) throw new Error(`${path}.${key} has no description`);
  const isSection = typeof byDefault === 'object' && !Array.isArray(byDefault);
  const shown = byDefault === undefined || isSection ? '' : `\`${JSON.stringify(byDefault).replaceAll('"', '')}\``;
  return `| \`${key}\` | ${valueOf(option).replaceAll('|', '\\|')} | ${required ? '**required**' : shown} | ${description.replaceAll('|', '\\|')} |\n`;
}

const patterns: Readonly<Record<string, string>> = {
  [durationPattern]: 'duration',
  [sizePattern]: 'size',
  [percentagePattern]: 'percentage',
};

function valueOf(schema: Schema): string {
  if (schema.anyOf !== undefined) return schema.anyOf.map(valueOf).join(' or ');
  if (schema.enum !== undefined) return [...new Set(schema.enum.map(String))].map((word) => `\`${word}\``).join(', ');
  if (schema.const !== undefined) return `\`${JSON.stringify(schema.const).replaceAll('"', '')}\``;
  if (schema.type === 'array') return `list of ${valueOf(schema.items as Schema)}`;
  if (schema.type === 'object') return 'map';
  if (schema.type === 'boolean') return '`true`, `false`';
  if (schema.type === 'integer') return `${schema.minimum} to ${schema.maximum}`;
  return patterns[schema.pattern ?? ''] ?? 'text';
}

/** Each file and what it must hold, relative to the package. */
export const references = { 'schema.json': schemaText, 'docs/configuration.md': configurationPage } as const;

if (import.meta.main) {
  for (const [file, make] of Object.entries(references))
    writeFileSync(resolve(import.meta.dirname, '..', file), make());
}
