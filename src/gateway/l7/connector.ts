/**
 * How the endpoints of a service are connected to: by the fast path where the host is an address and no TLS is spoken, else
 * by Node's public sockets.
 *
 * Invariants: a socket has an error handler from birth; who asks is told once, later than the call, or never after it
 * cancelled.
 * Cost: one object a connection; one TLS context a service.
 */
import net from 'node:net';
import { failureReason } from '../connection-failure.ts';
import { lookupFor } from '../link-local.ts';
import type { EndpointPlan, ServicePlan } from '../snapshot.ts';
import { UpstreamContext } from '../tls/upstream-context.ts';
import type { Opening } from './endpoint.ts';
import { NetWire } from './net-wire.ts';
import type { Plane } from './plane.ts';
import type { Wire } from './wire.ts';

/** Told a wire, or the code of why there is none, and the same in words. */
export type Connected = (wire: Wire | null, code: string, reason: string) => void;

export class Connector {
  readonly #plane: Plane;
  readonly #lookup: net.LookupFunction;
  readonly #secure: UpstreamContext | null;

  /** Throws what OpenSSL says about an authority, certificate or key that it cannot use. */
  constructor(plane: Plane, plan: ServicePlan) {
    this.#plane = plane;
    this.#lookup = lookupFor(plan.allowLinkLocal);
    this.#secure = plan.tls === null ? null : new UpstreamContext(plan.tls, this.#lookup);
  }

  /** `onHandshake`: the connection is there, and its TLS handshake begins. */
  connect(endpoint: EndpointPlan, onHandshake: () => void, done: Connected): Opening {
    const { host, port } = endpoint;
    const { raw } = this.#plane;
    const told = (wire: Wire | null, code: string, message = code): void => {
      this.#plane.tick();
      done(wire, code, wire === null ? failureReason(code, message) : '');
    };
    if (this.#secure !== null) {
      const socket = this.#secure.connect(endpoint);
      socket.once('connect', () => {
        this.#plane.tick();
        onHandshake();
      });
      return this.#open(socket, 'secureConnect', told);
    }
    if (raw !== null && net.isIP(host) !== 0) return raw.connect(host, port, told);
    const socket = net.connect({ host, port, lookup: this.#lookup, allowHalfOpen: true });
    return this.#open(socket, 'connect', told);
  }

  #open(socket: net.Socket, event: 'connect' | 'secureConnect', done: Connected): Opening {
    return new NetOpening(socket, event, (error) => {
      if (error === null) done(new NetWire(socket, this.#plane.buffers), '', '');
      else done(null, error.code ?? 'ERR_SOCKET', error.message);
    });
  }
}

/** A socket on its way. Tells null when `event` has come, or what came in its place. */
class NetOpening implements Opening {
  readonly #socket: net.Socket;
  #tell: ((error: NodeJS.ErrnoException | null) => void) | null;

  constructor(socket: net.Socket, event: string, tell: (error: NodeJS.ErrnoException | null) => void) {
    this.#socket = socket;
    this.#tell = tell;
    socket.on('error', (error: NodeJS.ErrnoException) => {
      socket.destroy();
      this.#end(error);
    });
    socket.once(event, () => this.#end(null));
  }

  #end(error: NodeJS.ErrnoException | null): void {
    const tell = this.#tell;
    this.#tell = null;
    tell?.(error);
  }

  cancel(): void {
    this.#tell = null;
    this.#socket.destroy();
  }
}
