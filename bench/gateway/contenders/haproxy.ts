/** HAProxy: one process in the foreground, one thread, idle upstream connections shared by all requests. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { processTree } from '../accounting.ts';
import type { Contender, Setup } from '../contender.ts';
import { listening } from '../processes.ts';
import { freePort } from '../../../test/ports.ts';

export const haproxy: Contender = {
  name: 'haproxy',
  abilities: ['proxy', 'tls', 'everything-on', 'websocket'],

  async version(processes) {
    const text = await processes.run('haproxy', ['-v'], { cores: '0-1023', timeoutMs: 5000 });
    return /version (\S+)/.exec(text)?.[1] ?? 'unknown';
  },

  async start(setup) {
    const [port, tlsPort, adminPort] = [await freePort(), await freePort(), await freePort()];
    const file = join(setup.dir, 'haproxy.cfg');
    const logFile = join(setup.dir, 'haproxy.log');
    writeFileSync(file, config(setup, { port, tlsPort, adminPort }));
    const one = setup.processes.start('haproxy', ['-db', '-f', file], { cores: setup.core, stdoutFile: logFile });
    await listening(port, one);
    return {
      port,
      tlsPort,
      pids: () => processTree(one.pid),
      metricsUrl: `http://127.0.0.1:${adminPort}/metrics`,
      logFile,
      stop: () => one.stop(),
    };
  },
};

function config(setup: Setup, ports: { port: number; tlsPort: number; adminPort: number }): string {
  const { everythingOn: on, origin } = setup;
  // A small maxconn would make it close idle upstream connections early (tune.pool-low-fd-ratio is a share of it).
  // Without strict limits it starts although two descriptors for each of maxconn do not fit under the soft limit: the cases
  // with many clients hold no upstream connection for each.
  return `global
  nbthread 1
  maxconn ${Math.max(5000, setup.connections + 100)}
  no strict-limits
  ${on ? 'log stdout format raw daemon' : ''}
defaults
  mode http
  timeout connect 5s
  timeout client 300s
  timeout server 300s
  timeout http-keep-alive 300s
  timeout tunnel 300s
  option forwardfor
  http-reuse always
  ${on ? 'log global\n  option httplog' : ''}
frontend web
  bind 127.0.0.1:${ports.port}
  bind 127.0.0.1:${ports.tlsPort} ssl crt ${setup.certificate.bundleFile} alpn http/1.1 ssl-min-ver TLSv1.2 ciphersuites TLS_AES_128_GCM_SHA256
  use_backend echo if { path /ws }
  use_backend due if { path /due }
  default_backend origin
backend origin
  ${on ? 'option httpchk GET /health\n  default-server check inter 1s fall 3 rise 1' : ''}
  server one 127.0.0.1:${origin.port}
backend echo
  server one 127.0.0.1:${origin.webSocketPort}
backend due
  server one 127.0.0.1:${origin.duePort}
${
  on
    ? `frontend admin
  bind 127.0.0.1:${ports.adminPort}
  no log
  http-request use-service prometheus-exporter if { path /metrics }
  stats enable
  stats uri /stats
`
    : ''
}`;
}
