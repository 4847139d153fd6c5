/**
 * Every series that /metrics shows: its name, kind, labels and the sentence that HELP and docs/metrics.md carry. A test
 * holds the page equal to this table. Names are an interface that dashboards depend on: add, do not rename.
 * Units are seconds and bytes; `_total` ends a counter.
 */

interface MetricName {
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly labels: readonly string[];
  readonly help: string;
}

const route = ['route', 'service'] as const;
const arm = ['route', 'arm', 'service'] as const;
/** The service is the one that gets copies. */
const mirrored = ['route', 'service'] as const;
const endpoint = ['service', 'endpoint'] as const;
const store = ['store'] as const;
const discovered = ['service', 'source'] as const;

export const metricNames = {
  spillway_requests_total: {
    type: 'counter',
    labels: [...route, 'code_class'],
    help: 'Requests answered, by the class of the status; 1xx is an upgrade.',
  },
  // Beside the requests that it is taken from: what is read at one time can be subtracted.
  spillway_requests_limited_total: {
    type: 'counter',
    labels: route,
    help: 'Of the requests answered with 4xx, those that a limit refused with 429.',
  },
  spillway_request_duration_seconds: {
    type: 'histogram',
    labels: route,
    help: 'From the head of a request to the last byte of its answer; without those that a limit refused.',
  },
  spillway_requests_in_flight: { type: 'gauge', labels: route, help: 'Requests being worked on.' },
  spillway_requests_broken_total: {
    type: 'counter',
    labels: route,
    help: 'Answers other than 5xx that began and could not be finished.',
  },
  spillway_requests_aborted_total: { type: 'counter', labels: route, help: 'Requests whose client left first.' },
  spillway_request_retries_total: { type: 'counter', labels: route, help: 'Attempts after one that failed.' },
  spillway_request_hedges_total: { type: 'counter', labels: route, help: 'Attempts beside one that took long.' },
  spillway_request_retries_denied_total: {
    type: 'counter',
    labels: route,
    help: 'Retries and hedges that the budget did not allow.',
  },
  spillway_request_bytes_total: { type: 'counter', labels: route, help: 'Bytes of request bodies.' },
  spillway_response_bytes_total: { type: 'counter', labels: route, help: 'Bytes of response bodies.' },
  spillway_arm_requests_total: {
    type: 'counter',
    labels: [...arm, 'code_class'],
    help: 'Requests answered by an arm of a split, by the class of the status.',
  },
  spillway_arm_broken_total: {
    type: 'counter',
    labels: arm,
    help: 'Answers of an arm, other than 5xx, that began and could not be finished.',
  },
  spillway_arm_duration_seconds: {
    type: 'histogram',
    labels: arm,
    help: 'From the head of a request of an arm to the last byte of its answer.',
  },
  spillway_mirrored_requests_total: {
    type: 'counter',
    labels: mirrored,
    help: 'Copies of requests that were sent to another service.',
  },
  spillway_mirrored_dropped_total: {
    type: 'counter',
    labels: mirrored,
    help: 'Copies that there was no room for, or nobody to send them to.',
  },
  spillway_mirrored_failures_total: { type: 'counter', labels: mirrored, help: 'Copies that got no answer.' },
  spillway_limit_requests_total: {
    type: 'counter',
    labels: ['limit', 'outcome'],
    help: 'Requests that met a limit: allowed, refused, or shadowed (let through only because the limit is in shadow mode).',
  },
  spillway_limit_filled_total: {
    type: 'counter',
    labels: ['limit', 'filled'],
    help: 'Requests that met a limit, by how much of it their key had used then: up to 0.1 of it, 0.2 … 1. Not those that nobody could count.',
  },
  spillway_limit_decisions_total: {
    type: 'counter',
    labels: ['limit', 'source'],
    help: 'Decisions about a limit that counts in a store: by the store, by a refusal that was known (cache), or in its place (fallback, open, closed).',
  },
  spillway_refusals_total: {
    type: 'counter',
    labels: ['reason', 'code'],
    help: 'Requests that the gateway answered itself with an error, by reason.',
  },

  spillway_store_up: {
    type: 'gauge',
    labels: store,
    help: '0 if some worker has had no answer from the store of limits since its last failure, else 1.',
  },
  spillway_store_calls_total: {
    type: 'counter',
    labels: store,
    help: 'Calls to a store of limits: one for all that a tick of a worker asks.',
  },
  spillway_store_failures_total: {
    type: 'counter',
    labels: store,
    help: 'Calls that failed, or were not answered within the deadline.',
  },
  spillway_store_duration_seconds: {
    type: 'histogram',
    labels: store,
    help: 'From a call to a store of limits to its answer.',
  },

  spillway_connections: { type: 'gauge', labels: ['listener'], help: 'Open connections from clients.' },
  spillway_tunnels: { type: 'gauge', labels: ['listener'], help: 'Of these, upgraded ones such as WebSocket.' },
  spillway_connections_accepted_total: { type: 'counter', labels: ['listener'], help: 'Connections accepted.' },
  spillway_connections_refused_total: {
    type: 'counter',
    labels: ['listener'],
    help: 'Connections closed at once: over a limit, or without the PROXY header that they must begin with.',
  },
  spillway_listener_requests_total: { type: 'counter', labels: ['listener'], help: 'Requests received.' },
  spillway_listener_responses_total: {
    type: 'counter',
    labels: ['listener', 'code_class'],
    help: 'Answers of a listener, by the class of the status: also what the gateway refused before there was a route.',
  },
  spillway_listener_duration_seconds: {
    type: 'histogram',
    labels: ['listener'],
    help: 'From the head of a request to its end, also without an answer; what the gateway answers itself has what it waited for limits, or 0.',
  },
  spillway_tls_handshakes_total: { type: 'counter', labels: ['listener'], help: 'TLS handshakes completed.' },
  spillway_tls_resumptions_total: { type: 'counter', labels: ['listener'], help: 'Of these, resumed sessions.' },
  spillway_tls_handshake_failures_total: { type: 'counter', labels: ['listener'], help: 'TLS handshakes that failed.' },

  spillway_service_endpoints: {
    type: 'gauge',
    labels: ['service', 'source'],
    help: 'Endpoints of a service, by where they are known from: config, dns, file or api.',
  },
  spillway_breaker_state: {
    type: 'gauge',
    labels: ['service', 'state'],
    help: '1 for the state that the breaker of a service is in, 0 for the others.',
  },
  spillway_breaker_calls_total: {
    type: 'counter',
    labels: ['service', 'result'],
    help: 'Attempts at a service that has a breaker: good, slow (good but late), failed, ignored (they say nothing of it), or refused because it was not closed.',
  },
  spillway_breaker_transitions_total: {
    type: 'counter',
    labels: ['service', 'to'],
    help: 'Changes of the state of the breaker of a service, by the state it went to.',
  },
  spillway_discovery_answers_total: {
    type: 'counter',
    labels: discovered,
    help: 'Good answers of a source of endpoints.',
  },
  spillway_discovery_failures_total: {
    type: 'counter',
    labels: discovered,
    help: 'Answers of a source that did not come, could not be understood, or were empty; what was known stays.',
  },
  spillway_discovery_age_seconds: {
    type: 'gauge',
    labels: discovered,
    help: 'Since the last good answer of a source; absent before the first.',
  },
  spillway_discovery_failing: {
    type: 'gauge',
    labels: discovered,
    help: '1 if something is wrong with a source now, else 0.',
  },

  spillway_endpoint_up: {
    type: 'gauge',
    labels: endpoint,
    help: '0 if the endpoint is out by its checks or its traffic, else 1; also 1 while nothing is known of it.',
  },
  spillway_endpoint_health_changes_total: {
    type: 'counter',
    labels: [...endpoint, 'to', 'cause'],
    help: 'Changes of the health of an endpoint, by what it became and the class of the reason.',
  },
  spillway_endpoint_requests_total: {
    type: 'counter',
    labels: [...endpoint, 'code_class'],
    help: 'Answers of an endpoint, by the class of the status.',
  },
  spillway_endpoint_draining: {
    type: 'gauge',
    labels: endpoint,
    help: '1 while the endpoint drains or is drained, and so gets no new work, else 0.',
  },
  spillway_endpoint_in_flight: { type: 'gauge', labels: endpoint, help: 'Requests an endpoint is working on.' },
  spillway_endpoint_tunnels: {
    type: 'gauge',
    labels: endpoint,
    help: 'Of these, the ones that were upgraded, such as WebSocket.',
  },
  spillway_endpoint_requests_cut_total: {
    type: 'counter',
    labels: endpoint,
    help: 'Requests that were broken off or refused because the drain of their endpoint had no more time.',
  },
  spillway_endpoint_tunnels_cut_total: {
    type: 'counter',
    labels: endpoint,
    help: 'Tunnels that were reset because a drain had no more time, without a goodbye.',
  },
  spillway_endpoint_queued: {
    type: 'gauge',
    labels: endpoint,
    help: 'Requests waiting for a connection to an endpoint.',
  },
  spillway_upstream_connections: {
    type: 'gauge',
    labels: endpoint,
    help: 'Open connections to an endpoint, idle ones included.',
  },
  spillway_upstream_idle_connections: { type: 'gauge', labels: endpoint, help: 'Of these, the ones not in use.' },
  spillway_upstream_connects_total: { type: 'counter', labels: endpoint, help: 'Connections opened to an endpoint.' },
  spillway_upstream_connect_failures_total: {
    type: 'counter',
    labels: endpoint,
    help: 'Connections that could not be opened.',
  },
  spillway_upstream_reuses_total: {
    type: 'counter',
    labels: endpoint,
    help: 'Requests sent on a connection that had served before.',
  },
  spillway_upstream_tls_handshakes_total: {
    type: 'counter',
    labels: endpoint,
    help: 'TLS handshakes completed with an endpoint.',
  },
  spillway_upstream_timeouts_total: {
    type: 'counter',
    labels: endpoint,
    help: 'Requests an endpoint did not answer in time.',
  },
  spillway_upstream_resets_total: {
    type: 'counter',
    labels: endpoint,
    help: 'Connections an endpoint closed before it had answered.',
  },
  spillway_upstream_protocol_errors_total: {
    type: 'counter',
    labels: endpoint,
    help: 'Answers that were not valid HTTP, or had more than 1,000 interim ones before them.',
  },
  spillway_upstream_retries_total: {
    type: 'counter',
    labels: endpoint,
    help: 'Requests sent to an endpoint again after a failure.',
  },
  spillway_upstream_sent_bytes_total: { type: 'counter', labels: endpoint, help: 'Bytes sent to an endpoint.' },
  spillway_upstream_received_bytes_total: {
    type: 'counter',
    labels: endpoint,
    help: 'Bytes received from an endpoint.',
  },
  spillway_upstream_duration_seconds: {
    type: 'histogram',
    labels: endpoint,
    help: 'From the last byte of a request to the first of the answer of an endpoint.',
  },

  spillway_slo_objective_ratio: {
    type: 'gauge',
    labels: ['slo'],
    help: 'Share of good events that is promised.',
  },
  spillway_slo_error_budget_remaining_ratio: {
    type: 'gauge',
    labels: ['slo'],
    help: 'Part of the error budget that is left over the window of the objective; below 0 if it is overdrawn.',
  },
  spillway_slo_burn_rate: {
    type: 'gauge',
    labels: ['slo', 'window'],
    help: 'How many times too fast the budget was spent over a window of the alerts; absent without events.',
  },
  spillway_slo_alert_firing: {
    type: 'gauge',
    labels: ['slo', 'severity', 'burn'],
    help: '1 while a burn-rate alert fires, else 0.',
  },

  spillway_worker_up: { type: 'gauge', labels: ['worker'], help: '1 while a worker serves.' },
  spillway_worker_restarts_total: {
    type: 'counter',
    labels: ['worker'],
    help: 'Times a worker was replaced after it was lost.',
  },
  spillway_worker_event_loop_lag_seconds: {
    type: 'gauge',
    labels: ['worker'],
    help: 'How late the event loop of a worker ran, at most, within the last second.',
  },
  spillway_worker_heap_bytes: { type: 'gauge', labels: ['worker'], help: 'JavaScript heap of a worker.' },
  spillway_worker_buffer_bytes: { type: 'gauge', labels: ['worker'], help: 'Bytes in the buffers of a worker.' },
  spillway_worker_parked_requests: {
    type: 'gauge',
    labels: ['worker'],
    help: 'Requests that wait for a store of limits.',
  },
  spillway_worker_fast_path: { type: 'gauge', labels: ['worker'], help: '1 while a worker uses the raw transport.' },

  spillway_reloads_total: {
    type: 'counter',
    labels: ['outcome'],
    help: 'Reloads that changed something or were refused.',
  },
  spillway_reload_last_successful: { type: 'gauge', labels: [], help: '0 if the last reload was refused, else 1.' },
  spillway_config_version: { type: 'gauge', labels: [], help: 'Version of the config in use; grows with each reload.' },
  spillway_config_last_applied_timestamp_seconds: {
    type: 'gauge',
    labels: [],
    help: 'When the config in use was applied.',
  },
  spillway_access_log_lines_total: { type: 'counter', labels: [], help: 'Lines written to the access log.' },
  spillway_access_log_dropped_total: {
    type: 'counter',
    labels: [],
    help: 'Lines dropped because the log could not take them.',
  },
  spillway_access_log_errors_total: { type: 'counter', labels: [], help: 'Writes to the access log that failed.' },
  spillway_traces_kept_total: {
    type: 'counter',
    labels: [],
    help: 'Traces of requests that were kept.',
  },
  spillway_traces_dropped_total: {
    type: 'counter',
    labels: [],
    help: 'Traces that should have been kept and were more than a worker may keep in a second, or than may wait for the control thread.',
  },
  spillway_otlp_spans_total: {
    type: 'counter',
    labels: ['outcome'],
    help: 'Spans for the collector: sent, rejected by it, dropped because too many waited, or failed; since this collector is named.',
  },
  spillway_otlp_points_total: {
    type: 'counter',
    labels: ['outcome'],
    help: 'Series of pushes of metrics for the collector, each once a push: sent, rejected by it, dropped because too many waited, or failed; since this collector is named.',
  },
  spillway_otlp_pushes_skipped_total: {
    type: 'counter',
    labels: [],
    help: 'Pushes of metrics that were left out because the one before still waited for the collector, or what there is could not be read; since this one is named.',
  },
  spillway_build_info: {
    type: 'gauge',
    labels: ['version', 'node'],
    help: 'Always 1; its labels say what is running.',
  },
  process_start_time_seconds: { type: 'gauge', labels: [], help: 'When the process started.' },
  process_resident_memory_bytes: { type: 'gauge', labels: [], help: 'Memory of the process.' },
  process_cpu_seconds_total: { type: 'counter', labels: [], help: 'Processor time of the process, all threads.' },
} as const satisfies Readonly<Record<string, MetricName>>;

export type MetricNames = typeof metricNames;
