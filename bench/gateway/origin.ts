/**
 * What the proxies stand in front of: one nginx worker on the load's cores, answering fixed bodies from memory and from
 * cached files, and a WebSocket echo. It must never be the bottleneck; the report says when a proxy's core was not full.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { userInfo } from 'node:os';
import { fileURLToPath } from 'node:url';
import { processTree } from './accounting.ts';
import { listening, type Processes } from './processes.ts';
import { freePort } from '../../test/ports.ts';

export interface Origin {
  readonly port: number;
  readonly webSocketPort: number;
  /** Held free for load/open-loop.lua, which listens here while it runs. */
  readonly duePort: number;
  readonly pids: () => readonly number[];
}

const KB = 1024;

export async function startOrigin(processes: Processes, dir: string, cores: string): Promise<Origin> {
  const [port, webSocketPort, duePort] = [await freePort(), await freePort(), await freePort()];
  writeFileSync(join(dir, '10k'), 'x'.repeat(10 * KB));
  writeFileSync(join(dir, '1m'), 'x'.repeat(KB * KB));
  const file = join(dir, 'origin.conf');
  writeFileSync(file, config(dir, port));
  const nginx = processes.start('nginx', ['-c', file, '-p', dir], { cores });
  await listening(port, nginx);
  const echoFile = fileURLToPath(new URL('load/echo-server.ts', import.meta.url));
  const echo = processes.start(process.execPath, [echoFile, String(webSocketPort)], { cores });
  await listening(webSocketPort, echo);
  return { port, webSocketPort, duePort, pids: () => [nginx, echo].flatMap(({ pid }) => processTree(pid)) };
}

function config(dir: string, port: number): string {
  return `daemon off; pid ${dir}/origin.pid; error_log ${dir}/origin.log crit; worker_processes 1;
${userInfo().uid === 0 ? 'user root;' : ''}
events { worker_connections 8192; }
http {
  access_log off; default_type text/plain; keepalive_requests 1000000000; keepalive_timeout 3600s;
  client_body_temp_path ${dir}/origin-body; proxy_temp_path ${dir}/origin-proxy; fastcgi_temp_path ${dir}/origin-fastcgi;
  uwsgi_temp_path ${dir}/origin-uwsgi; scgi_temp_path ${dir}/origin-scgi;
  sendfile on; tcp_nopush on; open_file_cache max=16 inactive=1h; open_file_cache_valid 1h; open_file_cache_min_uses 1;
  server {
    ${[1, 2, 3, 4].map((host) => `listen 127.0.0.${host}:${port} backlog=4096;`).join(' ')}
    location / { return 200 "hello, world\\n"; }
    location = /seen { return 200 "forwarded-for=$http_x_forwarded_for on-connection=$connection_requests\\n"; }
    location = /status { stub_status; }
    location = /10k { root ${dir}; }
    location = /1m { root ${dir}; }
  }
}
`;
}
