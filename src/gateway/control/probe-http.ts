/** A check by a request: its status, its fields and its body, as far as something is expected of them. */
import { request as httpRequest, type ClientRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { judgeHead, readBody } from '../../health/index.ts';
import { closed, failed, notSpoken, PROBE_HEAD_BYTES_MAX } from './probe-failure.ts';
import type { ProbeEvents, ProbeIo, ProbeOf, ProbeTarget } from './probe-io.ts';

export function beginHttp(target: ProbeTarget, kind: ProbeOf<'http'>, events: ProbeEvents): ProbeIo {
  const { host, port, tls, lookup } = target;
  const options = {
    host,
    port,
    lookup,
    method: kind.method,
    path: kind.path,
    agent: false as const,
    maxHeaderSize: PROBE_HEAD_BYTES_MAX,
    headers: {
      'User-Agent': 'spillway-health',
      Accept: '*/*',
      ...kind.fields,
      ...(kind.host === null ? {} : { Host: kind.host }),
    },
  };
  const request = tls === null ? httpRequest(options) : httpsRequest({ ...tls, ...options });
  follow(request, kind, events);
  request.end();
  return { destroy: () => void request.destroy() };
}

function follow(request: ClientRequest, { expectation }: ProbeOf<'http'>, { settle, onConnect }: ProbeEvents): void {
  let answering = false;
  request.on('error', (error) => settle(failed(error)));
  request.on('close', () => settle(closed(answering)));
  request.on('socket', (socket) => socket.once('connect', onConnect));
  request.on('upgrade', (_response, socket) => {
    socket.on('error', () => {});
    socket.destroy();
    settle(notSpoken('an upgrade (status 101) that was not asked for'));
  });
  request.on('response', (response) => {
    answering = true;
    const head = judgeHead(expectation, response.statusCode ?? 0, response.headers);
    if (head.kind === 'failure') return settle(head);
    // An answer that begins and never ends is no answer; one that is too long to wait for is.
    const body = readBody(expectation, head);
    response.on('error', () => settle(closed(true)));
    response.on('data', (chunk: Buffer) => {
      const verdict = body.push(chunk);
      if (verdict !== null) settle(verdict);
    });
    response.on('end', () => settle(body.end()));
  });
}
