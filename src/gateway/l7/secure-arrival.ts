/**
 * A connection to a TLS listener before there is HTTP: its PROXY protocol header, if the listener requires one, and the
 * handshake. One deadline for both, from the accept on; the header has a shorter one within it.
 *
 * Invariants: it has its place from the accept on, and leaves it with the socket; a handshake that does not succeed,
 * whatever the reason, is counted once.
 */
import type net from 'node:net';
import type tls from 'node:tls';
import { Deadline, type Timed } from '../../kernel/timer-wheel.ts';
import type { SecureServer } from '../tls/server.ts';
import type { Guest, Place } from './admission.ts';
import type { Plane } from './plane.ts';
import { PROXY_HEADER_MS, readFromSocket } from './proxied.ts';
import type { Peer } from './raw-transport.ts';

/** What the TLS handshake settled; empty in the clear. */
export interface Security {
  /** Of the TLS handshake, or ''. */
  readonly serverName: string;
  /** `TLSv1.3`, or '' in the clear. */
  readonly version: string;
}

export const inTheClear: Security = { serverName: '', version: '' };

export interface SecureArrivalOptions {
  readonly plane: Plane;
  readonly server: SecureServer;
  /** It has a listener for errors already. */
  readonly socket: net.Socket;
  /** The other end of the socket. */
  readonly peer: Peer;
  readonly place: Place;
  readonly proxied: boolean;
  readonly handshakeMs: number;
  /** No PROXY header that can be believed. */
  readonly onRefused: () => void;
  readonly onFailedHandshake: () => void;
  /** The client has been named by the PROXY header. False if it may not come in. */
  readonly onClient: (client: Peer) => boolean;
  /** HTTP begins. */
  readonly onSecure: (socket: tls.TLSSocket, client: Peer) => void;
}

const HEADER = 0;
const HANDSHAKE = 1;
const OVER = 2;

export class SecureArrival implements Guest, Timed {
  readonly deadline = new Deadline(this);
  readonly #options: SecureArrivalOptions;
  readonly #untilMs: number;
  readonly #onClose = (): void => this.#closed();
  #stage = HEADER;

  constructor(options: SecureArrivalOptions) {
    this.#options = options;
    this.#untilMs = options.plane.nowMs + options.handshakeMs;
  }

  begin(): void {
    const { plane, socket, peer, place, proxied } = this.#options;
    place.guest = this;
    socket.once('close', this.#onClose);
    if (!proxied) {
      this.#shakeHands(peer);
      return;
    }
    plane.wheel.arm(this.deadline, Math.min(plane.nowMs + PROXY_HEADER_MS, this.#untilMs));
    readFromSocket(socket, peer, (client) => this.#onHeader(client));
  }

  #onHeader(client: Peer | null): void {
    const { plane, onRefused, onClient } = this.#options;
    plane.tick();
    if (client === null) {
      onRefused();
      this.cut();
    } else if (onClient(client)) this.#shakeHands(client);
    else this.cut();
  }

  #shakeHands(client: Peer): void {
    const { plane, server, socket, onSecure } = this.#options;
    this.#stage = HANDSHAKE;
    plane.wheel.arm(this.deadline, this.#untilMs);
    server.shakeHands(socket, (secure) => {
      plane.tick();
      this.#stage = OVER;
      plane.wheel.remove(this.deadline);
      socket.off('close', this.#onClose);
      onSecure(secure, client);
    });
  }

  /** Node closes the socket of a handshake that failed. */
  #closed(): void {
    if (this.#stage === HANDSHAKE) this.#options.onFailedHandshake();
    if (this.#stage !== OVER) this.cut();
  }

  onDeadline(nowMs: number): void {
    const { plane, onRefused, onFailedHandshake } = this.#options;
    plane.nowMs = nowMs;
    if (this.#stage === HEADER) onRefused();
    else onFailedHandshake();
    this.cut();
  }

  drain(idleMs: number): void {
    if (idleMs === 0) this.cut();
  }

  /** Ends it; what is to be counted has been: who sees the connection close finds it counted. */
  cut(): void {
    const { plane, socket, place } = this.#options;
    this.#stage = OVER;
    plane.wheel.remove(this.deadline);
    place.leave();
    socket.destroy();
  }
}
