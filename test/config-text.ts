/** Configs as text with one thing wrong, and what is said of them. */
import assert from 'node:assert/strict';
import { formatMistake, parseConfig } from '../src/gateway/config/index.ts';

interface Sections {
  readonly listeners?: string;
  readonly services?: string;
  readonly routes?: string;
  readonly rest?: string;
}

/** A valid config but for what is given. */
export function config(sections: Sections): string {
  const { listeners = '[{ name: web, address: "127.0.0.1:8080" }]', rest = '' } = sections;
  const { services = '[{ name: shop, endpoints: ["127.0.0.1:9001"] }]', routes = '[{ service: shop }]' } = sections;
  return `listeners: ${listeners}\nservices: ${services}\nroutes: ${routes}\n${rest}`;
}

export const lines = (text: string): string[] => parseConfig(text, { file: 'f.yaml' }).mistakes.map(formatMistake);
export const listener = (text: string) => config({ listeners: `[{ name: web, address: "127.0.0.1:8080", ${text} }]` });
export const service = (text: string) =>
  config({ services: `[{ name: shop, endpoints: ["127.0.0.1:9001"], ${text} }]` });

/** One mistake, and it says all of this. */
export function says(text: string, ...parts: readonly (RegExp | string)[]): void {
  const all = lines(text);
  assert.equal(all.length, 1, `one mistake, but:\n${all.join('\n')}`);
  for (const part of parts) {
    if (typeof part === 'string') assert.ok((all[0] ?? '').includes(part), `${part}\nin\n${all[0]}`);
    else assert.match(all[0] ?? '', part);
  }
}
