/** The bare splice of bare-proxy.ts: a floor for what the public socket interface of Node costs, with no HTTP in it. */
import { fileURLToPath } from 'node:url';
import { processTree } from '../accounting.ts';
import type { Contender } from '../contender.ts';
import { listening } from '../processes.ts';
import { freePort } from '../../../test/ports.ts';

const file = fileURLToPath(new URL('../bare-proxy.ts', import.meta.url));

export const bare: Contender = {
  name: 'bare',
  abilities: ['tls'],
  version: async () => process.versions.node,

  async start({ processes, core, origin, certificate }) {
    const [port, tlsPort] = [await freePort(), await freePort()];
    const args = [file, port, tlsPort, origin.port, certificate.certificateFile, certificate.keyFile].map(String);
    const one = processes.start(process.execPath, args, { cores: core });
    await listening(port, one);
    return { port, tlsPort, pids: () => processTree(one.pid), stop: () => one.stop() };
  },
};
