import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as fc from 'fast-check';
import {
  GRPC_ANSWER_BYTES_MAX,
  grpcHealthRequest,
  judgeGrpcHealth,
  readServing,
  type GrpcAnswer,
} from './grpc-health.ts';

const framed = (...message: number[]) => Uint8Array.of(0, 0, 0, message.length >> 8, message.length & 255, ...message);
const serving: GrpcAnswer = {
  httpStatus: 200,
  contentType: 'application/grpc',
  grpcStatus: '0',
  grpcMessage: null,
  body: framed(0x08, 0x01),
};

test('the request: an empty message for the server, the name as field 1 for a service', () => {
  assert.deepEqual(grpcHealthRequest(''), Uint8Array.of(0, 0, 0, 0, 0));
  assert.deepEqual(grpcHealthRequest('shop'), Uint8Array.of(0, 0, 0, 0, 6, 0x0a, 4, ...Buffer.from('shop')));
  const long = grpcHealthRequest('s'.repeat(300));
  assert.deepEqual([...long.subarray(0, 8)], [0, 0, 0, 1, 47, 0x0a, 0xac, 0x02], 'a length of two bytes');
  assert.equal(long.length, 5 + 303);
});

test('only SERVING is a success; every other answer has a reason of its own', () => {
  const says = (answer: Partial<GrpcAnswer>, reason: string, service = 'shop') =>
    assert.equal(judgeGrpcHealth({ ...serving, ...answer }, service).reason, reason);
  assert.deepEqual(judgeGrpcHealth(serving, ''), { kind: 'success', reason: 'the server is SERVING' });
  assert.equal(judgeGrpcHealth({ ...serving, contentType: 'application/grpc+proto' }, '').kind, 'success');
  says({ body: framed(0x08, 0x02) }, 'service "shop" is NOT_SERVING, expected SERVING');
  says({ body: framed() }, 'service "shop" is UNKNOWN, expected SERVING');
  says({ body: framed(0x08, 0x03) }, 'service "shop" is SERVICE_UNKNOWN, expected SERVING');
  says({ body: framed(0x08, 0x09) }, 'service "shop" is in state 9, expected SERVING');
  says({ grpcStatus: '5', body: new Uint8Array() }, 'service "shop" is not known there');
  says({ grpcStatus: '12' }, 'it does not implement grpc.health.v1.Health');
  says({ grpcStatus: '14', grpcMessage: 'down\u001b[1m' }, 'grpc-status 14 (UNAVAILABLE): down [1m');
  says({ grpcStatus: '99' }, 'grpc-status 99');
  says({ grpcStatus: null }, 'the answer ended without a grpc-status');
  says({ grpcStatus: '0x0' }, 'the grpc-status is not a number');
  says({ httpStatus: 404, contentType: 'text/html' }, 'status 404, expected 200 of gRPC');
  says({ contentType: 'application/grpc-web' }, 'the answer is not gRPC');
  says({ body: new Uint8Array() }, 'the answer is not a HealthCheckResponse');
  says({ body: Uint8Array.of(1, ...serving.body.subarray(1)) }, 'the answer is not a HealthCheckResponse');
  says({ body: Uint8Array.of(...serving.body, 0x08, 0x01) }, 'the answer is not a HealthCheckResponse');
});

test('fields of later versions are passed over, broken ones are not a message', () => {
  const later = [0x12, 2, 7, 7, 0x19, 1, 2, 3, 4, 5, 6, 7, 8, 0x25, 1, 2, 3, 4, 0x38, 0x96, 0x01];
  assert.equal(readServing(framed(...later, 0x08, 0x01)), 1);
  assert.equal(readServing(framed(0x08, 0x02, ...later)), 2);
  assert.equal(readServing(framed(0x08, 0x02, 0x08, 0x01)), 1, 'the last one counts');
  for (const broken of [
    [0x08],
    [0x08, 0x80],
    [0x12, 3, 7],
    [0x19, 1],
    [0x0b],
    [0x00, 0x01],
    Array.from({ length: 12 }, () => 0xff),
  ]) {
    assert.equal(readServing(framed(...broken)), null, String(broken));
  }
  const bytes = framed(0x08, 0x01);
  assert.equal(readServing(Uint8Array.of(9, 9, ...bytes).subarray(2)), 1, 'a view into a larger buffer');
});

test('no bytes make it throw or read on; an endless answer is none', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      const whole = readServing(bytes);
      const message = readServing(framed(...bytes));
      assert.ok(whole === null || (whole >= 0 && bytes[0] === 0));
      assert.ok(message === null || message >= 0);
    }),
    { numRuns: 2_000 },
  );
  const endless = Uint8Array.of(0, 0, 0, 0x10, 0, 0x12, 0xfd, 0x1f, ...new Uint8Array(GRPC_ANSWER_BYTES_MAX - 3));
  assert.equal(readServing(endless), null);
});
