/**
 * What `/metrics` says of endpoints: of those that are named by themselves, of the others of a service together, with the label `overflow`. Together they are
 * up if all of them are, and drain if one does. Pure but for reading the cells.
 */
import type { EndpointState } from '../control/gateway-state.ts';
import {
  endpointIsDown,
  endpointIsServing,
  type EndpointOf,
  type EndpointSeries,
  type OtherEndpoints,
} from '../control/named-endpoints.ts';
import { ENDPOINT_SLOTS, endpointSlots } from '../slots.ts';
import {
  each,
  labelsOfNamed,
  labelsOfOthers,
  lazily,
  type Series,
  slotSeries,
  statusSamples,
  type Subject,
  subject,
} from './metric-subjects.ts';

type Changes = EndpointState['changes'];

interface EndpointSubject extends Subject {
  readonly isDown: boolean;
  readonly isServing: boolean;
  readonly changes: Changes;
}

export function endpointSamples(
  { named, others }: EndpointSeries,
  changesOf: (service: string, endpoint: string) => Changes,
): Series {
  const ofNamed = (of: EndpointOf): EndpointSubject => {
    const { id, cell } = of.endpoint;
    const numbers = subject(labelsOfNamed(of), cell, ENDPOINT_SLOTS, endpointSlots.buckets);
    const changes = changesOf(of.service, id);
    of.told.tellNumbers(numbers.count, changes);
    return { ...numbers, isDown: endpointIsDown(cell), isServing: endpointIsServing(cell), changes };
  };
  const ofOthers = (of: OtherEndpoints): EndpointSubject => ({
    ...of,
    labels: labelsOfOthers(of),
    count: (slot) => of.counts[slot]!,
  });
  const subjects = lazily([...named, ...others], (of) => ('endpoint' in of ? ofNamed(of) : ofOthers(of)));
  return {
    spillway_endpoint_up: each(subjects, ({ labels, isDown }) => [{ labels, value: isDown ? 0 : 1 }]),
    spillway_endpoint_draining: each(subjects, ({ labels, isServing }) => [{ labels, value: isServing ? 0 : 1 }]),
    spillway_endpoint_requests_total: statusSamples(subjects, endpointSlots.responses1xx),
    // Only what has happened: an endpoint could become five things for some fifteen reasons.
    spillway_endpoint_health_changes_total: each(subjects, ({ labels, sinceMs, changes }) =>
      changes.map(({ to, cause, count }) => ({ labels: { ...labels, to, cause }, sinceMs, value: count })),
    ),
    ...slotSeries(subjects, {
      spillway_endpoint_in_flight: endpointSlots.inFlight,
      spillway_endpoint_tunnels: endpointSlots.tunnels,
      spillway_endpoint_requests_cut_total: endpointSlots.requestsCut,
      spillway_endpoint_tunnels_cut_total: endpointSlots.tunnelsCut,
      spillway_endpoint_queued: endpointSlots.queued,
      spillway_upstream_connections: endpointSlots.connections,
      spillway_upstream_idle_connections: endpointSlots.idle,
      spillway_upstream_connects_total: endpointSlots.connects,
      spillway_upstream_connect_failures_total: endpointSlots.connectFailures,
      spillway_upstream_reuses_total: endpointSlots.reuses,
      spillway_upstream_tls_handshakes_total: endpointSlots.tlsHandshakes,
      spillway_upstream_timeouts_total: endpointSlots.timeouts,
      spillway_upstream_resets_total: endpointSlots.resets,
      spillway_upstream_protocol_errors_total: endpointSlots.protocolErrors,
      spillway_upstream_retries_total: endpointSlots.retries,
      spillway_upstream_sent_bytes_total: endpointSlots.bytesSent,
      spillway_upstream_received_bytes_total: endpointSlots.bytesReceived,
    }),
  };
}
