/** What `spillway init` writes: a config that is valid as it stands, with what is most often wanted next in comments. */

export const configTemplate = `# yaml-language-server: $schema=./node_modules/spillway/schema.json
#
# Spillway: who listens, which servers answer, which request goes where.
#   spillway check          every mistake in this file, with its place
#   spillway up             run it; a change to this file is applied at once, without a failed request
#   spillway explain 'GET http://localhost:8080/'     what would happen to a request
# Every option: docs/configuration.md. Times are written 500ms, 10s, 2m; sizes 8kb, 10mb; paths are relative to this file.

# Where clients come in.
listeners:
  - name: web
    address: 127.0.0.1:8080 # :8080 for every IPv4 address of this machine, "[::]:8080" for IPv6 too
    # tls: { certificate: cert.pem, key: key.pem } # read again when the files change
    # trustedProxies: [10.0.0.0/8] # whose X-Forwarded-For is believed

# Sets of servers that do the same work.
services:
  - name: app
    endpoints:
      - 127.0.0.1:9001
      - 127.0.0.1:9002
      # - { address: 127.0.0.1:9003, weight: 3 } # gets three times the work
    health:
      active: # three failed checks take a server out, one good one brings it back
        path: /
        interval: 5s
        timeout: 2s
    # timeouts: { responseHeader: 30s } # how long an answer may take to begin
    # retries: { attempts: 3 } # 1 is no retry

# The most specific host wins, then the most specific path.
routes:
  - match: { path: /* }
    service: app
    # limits: { requestBody: 100mb }
    # upgrade: [websocket]

# Metrics (/metrics), health (/readyz) and state. Changes take a token that the gateway makes; other addresses than loopback need one here.
admin:
  address: 127.0.0.1:9900

# One JSON line for each request: off, stdout, or { target: access.log, sample: 10% }
accessLog: off
`;
