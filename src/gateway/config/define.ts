/** For `spillway.config.ts`: types, and nothing else. */
import type { ConfigInput } from './schema.ts';

/**
 * Gives a config its types, so an editor completes and checks it. Returns what it is given.
 *
 * @example
 * import { defineConfig } from 'spillway';
 *
 * export default defineConfig({
 *   listeners: [{ name: 'web', address: '127.0.0.1:8080' }],
 *   services: [{ name: 'shop', endpoints: ['127.0.0.1:9001', { address: '127.0.0.1:9002', weight: 3 }] }],
 *   routes: [{ match: { path: '/api/*' }, service: 'shop' }],
 * });
 */
export function defineConfig(config: ConfigInput): ConfigInput {
  return config;
}
