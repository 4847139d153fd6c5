/** `npm run nearby-drivers`: the city on http://127.0.0.1:8090/, or where `--port` says. Ends on Ctrl-C and leaves nothing behind. */
import { once } from 'node:events';
import { parseArgs } from 'node:util';
import { ensureServers } from '../../scripts/servers.ts';
import { startNearbyDrivers } from './server.ts';

const { values } = parseArgs({ options: { port: { type: 'string', default: '8090' } } });
const missing = ensureServers(['redis']);
if (missing.length > 0) {
  console.error(missing.join('\n'));
  process.exit(1);
}
await using city = await startNearbyDrivers({ port: Number(values.port) });
console.log(`100,000 drivers on ${city.url}`);
await Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')]);
