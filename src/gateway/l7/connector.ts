/**
 * How the endpoints of a service are connected to: by the fast path where the host is an address and no TLS is spoken, else
 * by Node's public sockets.
 *
 * Invariants: a socket has an error handler from birth; who asks is told once, later than the call, or never after it
 * cancelled.
 * Cost: one object a connection; one TLS context a service.
 */
import net from 'node:net';
import type { EndpointPlan, ServicePlan } from '../snapshot.ts';
import { UpstreamContext } from '../tls/upstream-context.ts';
import type { Opening } from './endpoint.ts';
import { NetWire } from './net-wire.ts';
import type { Plane } from './plane.ts';
import type { Connected } from './raw-transport.ts';

export class Connector {
  readonly #plane: Plane;
  readonly #secure: UpstreamContext | null;

  /** Throws what OpenSSL says about an authority, certificate or key that it cannot use. */
  constructor(plane: Plane, plan: ServicePlan) {
    this.#plane = plane;
    this.#secure = plan.tls === null ? null : new UpstreamContext(plan.tls);
  }

  connect(endpoint: EndpointPlan, done: Connected): Opening {
    const { host, port } = endpoint;
    const { raw } = this.#plane;
    const told: Connected = (wire, code) => {
      this.#plane.tick();
      done(wire, code);
    };
    if (this.#secure !== null) return this.#open(this.#secure.connect(endpoint), 'secureConnect', told);
    if (raw !== null && net.isIP(host) !== 0) return raw.connect(host, port, told);
    return this.#open(net.connect({ host, port, allowHalfOpen: true }), 'connect', told);
  }

  #open(socket: net.Socket, event: 'connect' | 'secureConnect', done: Connected): Opening {
    return new NetOpening(socket, event, (code) => {
      if (code === '') done(new NetWire(socket, this.#plane.buffers), '');
      else done(null, code);
    });
  }
}

/** A socket on its way. Tells '' when `event` has come, or the code of what came in its place. */
class NetOpening implements Opening {
  readonly #socket: net.Socket;
  #tell: ((code: string) => void) | null;

  constructor(socket: net.Socket, event: string, tell: (code: string) => void) {
    this.#socket = socket;
    this.#tell = tell;
    socket.on('error', (error: NodeJS.ErrnoException) => {
      socket.destroy();
      this.#end(error.code ?? 'ERR_SOCKET');
    });
    socket.once(event, () => this.#end(''));
  }

  #end(code: string): void {
    const tell = this.#tell;
    this.#tell = null;
    tell?.(code);
  }

  cancel(): void {
    this.#tell = null;
    this.#socket.destroy();
  }
}
