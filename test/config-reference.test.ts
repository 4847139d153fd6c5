/** What is made from the config's schema must be what the schema says. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import * as z from 'zod';
import { references, schemaText } from '../scripts/config-reference.ts';
import { configTemplate } from '../src/gateway/config/template.ts';

for (const [file, make] of Object.entries(references)) {
  test(`${file} is made from the schema (if not: node scripts/config-reference.ts)`, () => {
    assert.equal(readFileSync(resolve(import.meta.dirname, '..', file), 'utf8'), make());
  });
}

test('the JSON Schema takes the starter file and refuses a wrong key, a wrong unit and a wrong word', () => {
  const schema = z.fromJSONSchema(JSON.parse(schemaText()) as Parameters<typeof z.fromJSONSchema>[0]);
  const refuses = (text: string): boolean => !schema.safeParse(parse(text)).success;
  assert.ok(!refuses(configTemplate));
  assert.ok(refuses(configTemplate.replace('services:', 'servics:')));
  assert.ok(refuses(configTemplate.replace('interval: 5s', 'interval: 5')));
  assert.ok(refuses(configTemplate.replace('interval: 5s', 'intervall: 5s')));
  assert.ok(refuses(configTemplate.replace('accessLog: off', 'accessLog: stdour')));
});
