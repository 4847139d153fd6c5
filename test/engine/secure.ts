/** TLS for tests of the engine: what a listener serves with, and a client that believes it. */
import { once } from 'node:events';
import tls from 'node:tls';
import type { ListenerTlsPlan } from '../../src/gateway/snapshot.ts';
import { Authority } from '../certificates.ts';
import { Peer } from './peer.ts';

export interface Secure {
  readonly plan: ListenerTlsPlan;
  /** A client that has shaken hands; the socket is one that is open, or one to `port`. */
  readonly connect: (options: Pick<tls.ConnectionOptions, 'socket' | 'port'>) => Promise<Peer>;
}

/** A certificate for `shop.example`, made once for a test file; with `mutual`, one that the client shows as well. */
export function secure({ mutual = false } = {}): Secure {
  using authority = new Authority();
  const { caPem } = authority;
  const shown = mutual ? authority.issue(['client.example']) : null;
  const identity = shown === null ? {} : { cert: shown.certificatePem, key: shown.keyPem };
  return {
    plan: {
      certificates: [authority.issue(['shop.example'])],
      minVersion: 'TLSv1.2',
      ticketKeys: Buffer.alloc(48, 1),
      unknownSni: 'default',
      clientCaPem: mutual ? caPem : null,
    },
    connect: async (options) => {
      const own: tls.ConnectionOptions & { readonly allowHalfOpen: boolean } = {
        host: '127.0.0.1',
        servername: 'shop.example',
        ca: caPem,
        allowHalfOpen: true,
        ...identity,
      };
      const socket = tls.connect({ ...own, ...options });
      const peer = new Peer(socket);
      await once(socket, 'secureConnect');
      return peer;
    },
  };
}
