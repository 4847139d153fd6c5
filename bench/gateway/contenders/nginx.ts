/** nginx: a master and one worker, upstream connections kept alive, no response ever written to disk. */
import { writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { processTree } from '../accounting.ts';
import type { Contender, Setup } from '../contender.ts';
import { listening } from '../processes.ts';
import { freePort } from '../../../test/ports.ts';

export const nginx: Contender = {
  name: 'nginx',
  abilities: ['proxy', 'tls', 'everything-on', 'websocket'],

  async version(processes) {
    const text = await processes.run('nginx', ['-v'], { cores: '0-1023', timeoutMs: 5000 });
    return /nginx\/(\S+)/.exec(text)?.[1] ?? 'unknown';
  },

  async start(setup) {
    const [port, tlsPort] = [await freePort(), await freePort()];
    const file = join(setup.dir, 'nginx.conf');
    writeFileSync(file, config(setup, port, tlsPort));
    const one = setup.processes.start('nginx', ['-c', file, '-p', setup.dir], { cores: setup.core });
    await listening(port, one);
    return {
      port,
      tlsPort,
      pids: () => processTree(one.pid),
      metricsUrl: `http://127.0.0.1:${port}/nginx-status`,
      logFile: join(setup.dir, 'access.log'),
      stop: () => one.stop(),
    };
  },
};

function config(
  { dir, origin, certificate, everythingOn: on, connections }: Setup,
  port: number,
  tlsPort: number,
): string {
  // It has no active health checks; with everything on, it does without. Its log is buffered as Spillway's is.
  return `daemon off; pid ${dir}/nginx.pid; error_log ${dir}/error.log crit; worker_processes 1;
${userInfo().uid === 0 ? 'user root;' : ''}
worker_rlimit_nofile 20000;
events { worker_connections ${connections + 2000}; }
http {
  access_log ${on ? `${dir}/access.log combined buffer=64k flush=200ms` : 'off'};
  keepalive_requests 1000000000; keepalive_timeout 300s; client_max_body_size 0; proxy_max_temp_file_size 0;
  client_body_temp_path ${dir}/body; proxy_temp_path ${dir}/proxy; fastcgi_temp_path ${dir}/fastcgi;
  uwsgi_temp_path ${dir}/uwsgi; scgi_temp_path ${dir}/scgi;
  ssl_certificate ${certificate.certificateFile}; ssl_certificate_key ${certificate.keyFile};
  ssl_protocols TLSv1.2 TLSv1.3; ssl_conf_command Ciphersuites TLS_AES_128_GCM_SHA256;
  upstream origin { server 127.0.0.1:${origin.port}; keepalive 1024; keepalive_requests 1000000000; keepalive_timeout 3600s; }
  upstream due { server 127.0.0.1:${origin.duePort}; keepalive 1024; keepalive_requests 1000000000; keepalive_timeout 3600s; }
  server {
    listen 127.0.0.1:${port} backlog=4096;
    listen 127.0.0.1:${tlsPort} ssl backlog=4096;
    location / {
      proxy_pass http://origin; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_set_header Host $host; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    }
    location = /due {
      proxy_pass http://due; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_set_header Host $host; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    }
    location = /ws {
      proxy_pass http://127.0.0.1:${origin.webSocketPort}; proxy_http_version 1.1;
      proxy_set_header Connection "upgrade"; proxy_set_header Upgrade $http_upgrade; proxy_set_header Host $host;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
    }
    ${on ? 'location = /nginx-status { stub_status; access_log off; }' : ''}
  }
}
`;
}
