/**
 * A TCP splice on the public interface of `node:net`: each client connection gets one upstream connection, bytes are copied
 * both ways, nothing is parsed. A calibration for the benchmark, not a proxy to use.
 *
 * Usage: bare-proxy.ts PORT TLS_PORT ORIGIN_PORT CERTIFICATE KEY
 * Invariant: a connection's read buffer is read into again only when the write of its bytes has finished.
 */
import { readFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';

const [port, tlsPort, originPort, certificateFile = '', keyFile = ''] = process.argv.slice(2);
const READ_BYTES = 64 * 1024;

function splice(client: Socket): void {
  // An accepted socket cannot be given `onread`, so its reads allocate; towards the origin one buffer is reused.
  const onWritten = (): void => {
    if (upstream.isPaused() && client.writableLength === 0) upstream.resume();
  };
  const upstream = connect({
    port: Number(originPort),
    host: '127.0.0.1',
    noDelay: true,
    onread: {
      buffer: Buffer.allocUnsafeSlow(READ_BYTES),
      callback(bytes, buffer) {
        client.write(buffer.subarray(0, bytes), onWritten);
        if (client.writableLength === 0) return true;
        upstream.pause();
        return false;
      },
    },
  });
  client.on('data', (bytes) => {
    if (!upstream.write(bytes)) client.pause();
  });
  upstream.on('drain', () => client.resume());
  for (const [one, other] of [[client, upstream] as const, [upstream, client] as const]) {
    one.on('error', () => other.destroy());
    one.on('end', () => other.end());
    one.on('close', () => other.destroy());
  }
}

createServer({ noDelay: true }, splice).listen(Number(port), '127.0.0.1', 4096);
const tls = {
  cert: readFileSync(certificateFile),
  key: readFileSync(keyFile),
  ALPNProtocols: ['http/1.1'],
  ciphers: 'TLS_AES_128_GCM_SHA256',
};
createTlsServer(tls, splice)
  .on('tlsClientError', () => {})
  .listen(Number(tlsPort), '127.0.0.1', 4096);
