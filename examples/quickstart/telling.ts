/**
 * What a server of the example tells the gateway: what it measures (its requests, counted, timed and part of their traces), and who of the three
 * leads. The leader would write the daily report.
 */
import { once } from 'node:events';
import { join } from 'node:path';
import { createElections } from 'spillway/elect';
import { sqliteLeases } from 'spillway/lease';
import { instrument } from 'spillway/observe/instrument';

/** `admin` is the address of the gateway's admin API; the leases that servers share are kept in `folder`. */
export function tellGateway(name: string, admin: string, folder: string): void {
  const { metrics } = instrument({ service: 'shop', instance: name, otlp: admin, every: '1s' });
  const elections = createElections(sqliteLeases(join(folder, 'leases.db')), { holder: name, metrics });
  const lead = elections.whileLeader('daily-report', { ttl: '3s' }, ({ signal }) => once(signal, 'abort'));
  lead.catch((error: unknown) => console.error(`${name} cannot lead: ${String(error)}`));
}
