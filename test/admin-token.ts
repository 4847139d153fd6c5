/** The token of a gateway that made one, for tests: as whoever may read its file finds it, whatever process the gateway is. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import type { GatewayState } from '../src/gateway/index.ts';

/** `admin` is `host:port`. */
export async function tokenOf(admin: string): Promise<string> {
  const { admin: told } = (await (await fetch(`http://${admin}/api/state`)).json()) as GatewayState;
  const file = told?.madeToken?.file ?? null;
  assert.ok(file !== null, `the gateway on ${admin} keeps no token in a file`);
  return readFileSync(file, 'utf8').trim();
}

/** What shows it, as fields of a request. */
export async function authorized(admin: string): Promise<{ readonly Authorization: string }> {
  return { Authorization: `Bearer ${await tokenOf(admin)}` };
}
