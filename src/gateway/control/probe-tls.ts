/** TLS options for a health check: the same verification that requests get, and no session reuse. */
import { isIP } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import type { UpstreamTlsPlan } from '../snapshot.ts';
import { contextOptions } from '../tls/upstream-context.ts';

export function probeTls(plan: UpstreamTlsPlan, identity: string): ConnectionOptions {
  const name = plan.serverName ?? identity;
  return {
    ...contextOptions(plan),
    rejectUnauthorized: plan.verify,
    // SNI is for names only (RFC 6066 §3); an address is still compared with the certificate, by `host`.
    // Empty, not absent: node:https would take the name from the Host field.
    servername: isIP(name) === 0 ? name : '',
  };
}
