/**
 * A check by the health protocol of gRPC: one unary call on one HTTP/2 connection, in clear text (with prior knowledge) or over
 * TLS, where ALPN must settle on `h2`. The protocol is in http2-call.ts; what is asked, and what an answer means, in
 * src/health/grpc-health.ts. Sources: gRPC over HTTP/2, RFC 9113 §3.3.
 */
import type { TLSSocket } from 'node:tls';
import {
  type CheckResult,
  GRPC_ANSWER_BYTES_MAX,
  GRPC_HEALTH_PATH,
  grpcHealthRequest,
  judgeGrpcHealth,
} from '../../health/index.ts';
import { joinAddress } from '../config/address.ts';
import { type CallAnswer, callBytes, Http2Call } from './http2-call.ts';
import { closed, notSpoken } from './probe-failure.ts';
import { connectProbe } from './probe-tcp.ts';
import type { ProbeEvents, ProbeIo, ProbeOf, ProbeTarget } from './probe-io.ts';

export function beginGrpc(target: ProbeTarget, kind: ProbeOf<'grpc'>, events: ProbeEvents): ProbeIo {
  const { tls } = target;
  const { settle } = events;
  const socket = connectProbe({ ...target, tls: tls === null ? null : { ...tls, ALPNProtocols: ['h2'] } }, events);
  const call = new Http2Call({ bodyBytesMax: GRPC_ANSWER_BYTES_MAX });
  socket.on(tls === null ? 'connect' : 'secureConnect', () => {
    if (tls !== null && (socket as TLSSocket).alpnProtocol !== 'h2') {
      return settle(notSpoken('it does not speak HTTP/2: ALPN did not settle on h2'));
    }
    socket.write(callBytes(callOf(target, kind)));
  });
  socket.on('data', (chunk: Buffer) => {
    const { send, outcome } = call.push(chunk);
    if (outcome?.kind === 'broken') settle(notSpoken(outcome.reason));
    else if (outcome !== null) settle(judge(outcome.answer, kind.service));
    else if (send !== null) socket.write(send);
  });
  socket.on('close', () => settle(closed(call.isAnswering)));
  return { destroy: () => void socket.destroy() };
}

function callOf({ host, port, tls }: ProbeTarget, kind: ProbeOf<'grpc'>) {
  const given = Object.entries(kind.fields).map(([name, value]) => [name.toLowerCase(), value] as const);
  const userAgent = given.some(([name]) => name === 'user-agent') ? [] : [['user-agent', 'spillway-health'] as const];
  return {
    fields: [
      [':method', 'POST'] as const,
      [':scheme', tls === null ? 'http' : 'https'] as const,
      [':path', GRPC_HEALTH_PATH] as const,
      [':authority', kind.host ?? joinAddress(host, port)] as const,
      ['content-type', 'application/grpc'] as const,
      ['te', 'trailers'] as const,
      ...userAgent,
      ...given,
    ],
    body: grpcHealthRequest(kind.service),
    bodyBytesMax: GRPC_ANSWER_BYTES_MAX,
  };
}

function judge({ status, fields, trailers, body }: CallAnswer, service: string): CheckResult {
  const answer = {
    httpStatus: status,
    contentType: fields.get('content-type') ?? null,
    grpcStatus: trailers.get('grpc-status') ?? null,
    grpcMessage: trailers.get('grpc-message') ?? null,
    body,
  };
  return judgeGrpcHealth(answer, service);
}
