/**
 * A check by a connection, with the TLS handshake if there is one; and, if a greeting is expected, by what the endpoint says
 * on it, after something was sent or of its own accord.
 */
import { connect as tcpConnect, type Socket } from 'node:net';
import { connect as tlsConnect } from 'node:tls';
import { readBanner } from '../../health/index.ts';
import { closed, failed } from './probe-failure.ts';
import type { ProbeEvents, ProbeIo, ProbeOf, ProbeTarget } from './probe-io.ts';

export function connectProbe({ host, port, tls, lookup }: ProbeTarget, { settle, onConnect }: ProbeEvents): Socket {
  const socket = tls === null ? tcpConnect({ host, port, lookup }) : tlsConnect({ ...tls, host, port, lookup });
  socket.on('error', (error) => settle(failed(error)));
  socket.on('connect', onConnect);
  return socket;
}

export function beginTcp(target: ProbeTarget, { expectation }: ProbeOf<'tcp'>, events: ProbeEvents): ProbeIo {
  const { settle } = events;
  const socket = connectProbe(target, events);
  const banner = readBanner(expectation);
  let said = 0;
  socket.on(target.tls === null ? 'connect' : 'secureConnect', () => {
    if (expectation.expect === null) return settle(banner.end());
    if (expectation.send !== null) socket.write(expectation.send);
    socket.on('data', (chunk: Buffer) => {
      said += chunk.length;
      const verdict = banner.push(chunk);
      if (verdict !== null) settle(verdict);
    });
    socket.on('end', () => settle(banner.end()));
  });
  socket.on('close', () => settle(closed(false)));
  return {
    destroy: () => void socket.destroy(),
    // Something was said, and not what it should be: that is more than silence.
    unfinished: () => (said > 0 ? banner.end() : null),
  };
}
