/**
 * Who may be connected to a listener: a place is taken when TCP accepts and given back when the connection is gone, whatever
 * it was doing by then: a PROXY header, a TLS handshake, requests, a tunnel, a lingering close.
 *
 * Limits: places on the listener, all workers together, and places of one client network on this worker. An IPv6 client
 * counts by its /64, which is the least that anyone is given (RFC 6177 §2): by its whole address it would never meet the
 * limit. A trusted proxy does not count by address: all its clients have its own. Where it tells the client's address in a
 * PROXY header, that one counts from then on.
 *
 * Invariants: a place is given back once, under the network it was counted under, however the limits and the trusted
 * proxies have changed meanwhile; networks without a place are not kept; a place that was given back refers to no other.
 * Cost: taking and giving back a place is O(1); one map entry per network.
 */
import { type Lane, sumSlot } from '../../kernel/cells.ts';
import type { Address, AddressSet } from '../../kernel/ip-address.ts';
import { listenerSlots } from '../slots.ts';
import type { ListenerPlan } from '../snapshot.ts';

/** What is at a place at the moment. */
export interface Guest {
  /** No new work: an idle one goes after `idleMs`, at once if that is 0; another when it has done what it is doing. */
  drain(idleMs: number): void;
  /** Goes now. */
  cut(): void;
}

const nobody: Guest = { drain() {}, cut() {} };

/** An IPv4 address as a word, or the first 64 bits of an IPv6 one. */
type Network = number | string;

export interface AdmissionOptions {
  /** The listener's cell: this worker's lane, and all of them. */
  readonly lane: Lane;
  readonly lanes: readonly Lane[];
  /** A place was given back. */
  readonly onLeft: () => void;
}

export class Admission {
  readonly #options: AdmissionOptions;
  // WHY not a Set: when one is made anew, its old table refers to the new one and to all that was in it. Once the collector has
  // moved such a table among the old, every connection from then on outlives it too, until a whole collection: half a kilobyte
  // of each was moved twice, and marked.
  #first: Place | null = null;
  #taken = 0;
  readonly #networks = new Map<Network, number>();
  #limits: Pick<ListenerPlan['limits'], 'connectionsMax' | 'connectionsPerIpMax'>;
  #trusted: AddressSet;

  constructor(options: AdmissionOptions, limits: ListenerPlan['limits'], trusted: AddressSet) {
    this.#options = options;
    this.#limits = limits;
    this.#trusted = trusted;
  }

  /** For places taken from now on. */
  apply(limits: ListenerPlan['limits'], trusted: AddressSet): void {
    this.#limits = limits;
    this.#trusted = trusted;
  }

  get taken(): number {
    return this.#taken;
  }

  /** A place for a connection from `address`, or null if there is none. */
  take(address: Address | null): Place | null {
    const { lane, lanes } = this.#options;
    if (sumSlot(lanes, listenerSlots.connections) >= this.#limits.connectionsMax) return null;
    const place = new Place(this);
    if (!this.name(place, address)) return null;
    this.#link(place);
    lane[listenerSlots.connections] = (lane[listenerSlots.connections] ?? 0) + 1;
    return place;
  }

  /** Counts `place` under the network of `address` from now on. False if that has as many as it may. */
  name(place: Place, address: Address | null): boolean {
    this.#forget(place);
    if (address === null || this.#trusted.has(address)) return true;
    const network = networkOf(address);
    const same = this.#networks.get(network) ?? 0;
    if (same >= this.#limits.connectionsPerIpMax) return false;
    this.#networks.set(network, same + 1);
    place.network = network;
    return true;
  }

  /** Called by the place. */
  leave(place: Place): void {
    if (!place.isTaken) return;
    this.#unlink(place);
    const { lane, onLeft } = this.#options;
    lane[listenerSlots.connections] = (lane[listenerSlots.connections] ?? 0) - 1;
    this.#forget(place);
    onLeft();
  }

  guests(): Guest[] {
    const guests: Guest[] = [];
    for (let place = this.#first; place !== null; place = place.next) guests.push(place.guest);
    return guests;
  }

  #link(place: Place): void {
    const first = this.#first;
    place.isTaken = true;
    place.next = first;
    if (first !== null) first.previous = place;
    this.#first = place;
    this.#taken += 1;
  }

  #unlink(place: Place): void {
    const { next, previous } = place;
    place.isTaken = false;
    place.next = null;
    place.previous = null;
    if (next !== null) next.previous = previous;
    if (previous === null) this.#first = next;
    else previous.next = next;
    this.#taken -= 1;
  }

  #forget(place: Place): void {
    const { network } = place;
    if (network === null) return;
    place.network = null;
    const others = (this.#networks.get(network) ?? 1) - 1;
    if (others === 0) this.#networks.delete(network);
    else this.#networks.set(network, others);
  }
}

export class Place {
  /** Set by whoever holds the connection. */
  guest: Guest = nobody;
  /** What it counts under; null for a trusted proxy. The admission's. */
  network: Network | null = null;
  // The admission's too.
  isTaken = false;
  next: Place | null = null;
  previous: Place | null = null;
  readonly #admission: Admission;

  constructor(admission: Admission) {
    this.#admission = admission;
  }

  /** The client's own address is known. False if it has as many places as it may. */
  name(address: Address | null): boolean {
    return this.#admission.name(this, address);
  }

  /** The connection is gone; again is nothing. */
  leave(): void {
    this.#admission.leave(this);
  }
}

function networkOf(address: Address): Network {
  const { words } = address;
  return address.isIpv4 ? words[3]! : `${words[0]} ${words[1]}`;
}
