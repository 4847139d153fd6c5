/**
 * The end of every request's way: what happened is counted in the cells and, if the config asks, told in one log line.
 * Metrics, access log and the verdict of what made it slow read the same record, the exchange.
 */
import { ascii } from '../kernel/bytes.ts';
import type { Clock } from '../kernel/clock.ts';
import type { Lane } from '../kernel/cells.ts';
import type { Random } from '../kernel/random.ts';
import type { SpanRecord } from '../observe/trace/span-record.ts';
import { Sink } from '../observe/log/sink.ts';
import { LINE_BYTES_MAX, LineWriter } from './access-log/line.ts';
import { emptyRecord, type LogRecord } from './access-log/record.ts';
import { splitTime, verdictOf } from './access-log/times.ts';
import { countAnswer } from './l7/canary-run.ts';
import type { ClientConnection } from './l7/client.ts';
import { ENDED_ABORTED, ENDED_BROKEN, ENDED_WELL, type Exchange } from './l7/exchange.ts';
import { field } from './l7/fields.ts';
import type { Head } from './l7/head.ts';
import type { Route } from './l7/service.ts';
import type { Verdict } from './limits/verdict.ts';
import { bucketOf } from './durations.ts';
import { armSlots, countStatus, endpointSlots, listenerSlots, processSlots, refusals, routeSlots } from './slots.ts';
import type { AccessLogPlan } from './snapshot.ts';
import { callerSpan } from './tracing/answered-span.ts';
import type { Tracer } from './tracing/tracer.ts';

const ENDS = ['ok', 'broken', 'aborted'] as const;
/** A flood that a limit holds back would be all that percentiles and objectives see: it is in no bucket, and counted besides. */
const LIMITED_STATUS = 429;
const NO_BYTES = new Uint8Array(0);

export interface AccountOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** The process cell's lane of this worker. */
  readonly lane: Lane;
  readonly tracer: Tracer;
  readonly notice: (level: 'info' | 'warn' | 'error', message: string) => void;
}

export class Accounts {
  readonly #options: AccountOptions;
  #plan: AccessLogPlan = { share: 0, target: 'stdout', redactQuery: [] };
  #sink: Sink | null = null;
  #lines = new LineWriter([]);
  readonly #record: LogRecord = emptyRecord();

  constructor(options: AccountOptions) {
    this.#options = options;
  }

  /** Logs as `plan` says from now on. */
  apply(plan: AccessLogPlan): void {
    const moved = plan.target !== this.#plan.target || plan.share > 0 !== this.#plan.share > 0;
    this.#plan = plan;
    this.#lines = new LineWriter(plan.redactQuery);
    if (!moved) return;
    void this.#sink?.close();
    this.#sink = plan.share > 0 ? this.#open(plan.target) : null;
  }

  reopen(): void {
    this.#sink?.reopen();
  }

  async close(): Promise<void> {
    await this.#sink?.close();
    this.#sink = null;
  }

  /** An exchange has ended. */
  exchange(exchange: Exchange, nowMs: number): void {
    const { attempt, route, status, startMs, ending } = exchange;
    const { endpoint } = attempt;
    const totalMs = nowMs - startMs;
    const { lane } = route;
    const { request } = exchange;
    const { body: response } = exchange.answer;
    const bucket = bucketOf(totalMs);
    countListener(exchange.client.listener.lane, status, totalMs, bucket);
    if (status > 0) countStatus(lane, routeSlots.responses1xx, status);
    if (isBroken(exchange)) add(lane, routeSlots.broken, 1);
    else if (ending === ENDED_ABORTED) add(lane, routeSlots.aborted, 1);
    add(lane, routeSlots.bytesIn, request.bytes);
    add(lane, routeSlots.bytesOut, response.bytes);
    add(lane, routeSlots.durationSumMs, totalMs);
    add(lane, routeSlots.buckets + bucket, 1);
    if (exchange.arm.lane !== null) countArm(exchange.arm.lane, exchange, totalMs, bucket);
    if (endpoint !== null && attempt.firstByteMs > 0) {
      const counted = endpoint.lane;
      if (exchange.refusal < 0 && status > 0) countStatus(counted, endpointSlots.responses1xx, status);
      add(counted, endpointSlots.bytesSent, request.bytes);
      add(counted, endpointSlots.bytesReceived, response.bytes);
    }
    this.#options.tracer.exchange(exchange, nowMs);
    const { trial } = exchange;
    if (trial !== null && ending !== ENDED_ABORTED) countAnswer(trial, status, ending === ENDED_BROKEN, totalMs);
    if (this.#sink !== null && this.#isLogged(status, ending !== ENDED_WELL))
      this.#logExchange(exchange, nowMs, totalMs);
  }

  /** A request was refused before it became an exchange; `head` is what could be read of it, `route` the one it was for, or null. */
  // WHY four parameters: as below.
  refused(client: ClientConnection, head: Head | null, route: Route | null, number: number): void {
    const refusal = refusals[number];
    if (refusal === undefined) return;
    if (route !== null) this.#countByRoute(client, route, refusal.status);
    this.answered(client, head, refusal.status, refusal.word, route?.plan.name ?? '');
  }

  /** Limits that the request met on its route have refused it; `number` is the refusal. */
  // WHY five parameters: as below.
  limited(client: ClientConnection, head: Head, route: Route, { refusedBy }: Verdict, number: number): void {
    const { status, word } = refusals[number]!;
    if (status === LIMITED_STATUS) {
      add(route.lane, routeSlots.requests, 1);
      countStatus(route.lane, routeSlots.responses1xx, status);
      add(route.lane, routeSlots.limited, 1);
    } else this.#countByRoute(client, route, status);
    this.answered(client, head, status, word, route.plan.name, 0, refusedBy.join(' '));
  }

  /** A route whose requests the gateway answers by itself. */
  // WHY five parameters: the hot path; an options object would be made for each request.
  answeredByRoute(client: ClientConnection, head: Head, route: Route, status: number, bytesOut: number): void {
    add(route.lane, routeSlots.bytesOut, bytesOut);
    this.#countByRoute(client, route, status);
    this.answered(client, head, status, '', route.plan.name, bytesOut);
  }

  /** The gateway has answered a request for `route` by itself, after what it waited for limits. */
  #countByRoute({ plane }: ClientConnection, route: Route, status: number): void {
    const { lane } = route;
    const { waitedMs } = plane.parking;
    add(lane, routeSlots.requests, 1);
    countStatus(lane, routeSlots.responses1xx, status);
    add(lane, routeSlots.durationSumMs, waitedMs);
    add(lane, routeSlots.buckets + bucketOf(waitedMs), 1);
    plane.canary?.answered(route, status);
  }

  /** The gateway has answered by itself; `refusal` is '' if that is no refusal, `route` if no route says so. */
  // WHY seven parameters: as above.
  answered(
    client: ClientConnection,
    head: Head | null,
    status: number,
    refusal: string,
    route = '',
    bytesOut = 0,
    limit = '',
  ): void {
    const waitedMs = head === null ? 0 : client.plane.parking.waitedMs;
    countListener(client.listener.lane, status, waitedMs, bucketOf(waitedMs));
    const { tracer } = this.#options;
    const parent = tracer.on && head !== null ? callerSpan(head, client.forwarding.passed?.traceparent ?? -1) : null;
    const span =
      tracer.on && head !== null
        ? tracer.answered({ client, head, parent, status, refusal, route, limit, waitedMs })
        : null;
    if (this.#sink === null || !this.#isLogged(status, false)) return;
    const record = this.#record;
    this.#from(client);
    record.head = head?.buffer ?? NO_BYTES;
    record.headFrom = head?.start ?? 0;
    record.headTo = head?.end ?? 0;
    record.askedPath = NO_BYTES;
    record.minorVersion = head?.minorVersion ?? 0;
    record.host = record.head;
    record.hostFrom = head?.hostStart ?? 0;
    record.hostTo = head?.hostEnd ?? 0;
    record.userAgentOffset = offsetOf(head, field.userAgent);
    record.refererOffset = offsetOf(head, field.referer);
    record.requestIdFrom = 0;
    record.requestIdTo = 0;
    this.#traced(span);
    record.status = status;
    record.refusal = refusal;
    record.limit = limit;
    record.route = route;
    record.service = '';
    record.arm = '';
    record.mirrored = false;
    record.endpoint = '';
    record.bytesIn = 0;
    record.bytesOut = bytesOut;
    record.attempts = 0;
    record.reused = false;
    record.waitMs = waitedMs > 0 ? waitedMs : -1;
    record.connectMs = -1;
    record.tlsMs = -1;
    record.firstByteMs = -1;
    record.bodyMs = -1;
    record.clientMs = -1;
    record.totalMs = waitedMs;
    record.verdict = verdictOf(record);
    record.end = 'ok';
    this.#write();
  }

  #isLogged(status: number, failed: boolean): boolean {
    const { share } = this.#plan;
    return share >= 1 || failed || status >= 500 || this.#options.random.unit() < share;
  }

  #logExchange(exchange: Exchange, nowMs: number, totalMs: number): void {
    const record = this.#record;
    const { answer, attempt, client, route } = exchange;
    const { endpoint } = attempt;
    this.#from(client);
    const { forwarding } = client;
    const isRetained = exchange.retained !== null;
    record.head = exchange.retained ?? NO_BYTES;
    record.headFrom = 0;
    record.headTo = isRetained ? forwarding.start : 0;
    record.askedPath = exchange.askedPath;
    record.minorVersion = exchange.minorVersion;
    record.host = forwarding.block?.host ?? NO_BYTES;
    record.hostFrom = 0;
    record.hostTo = record.host.length;
    record.userAgentOffset = forwarding.userAgentOffset;
    record.refererOffset = forwarding.refererOffset;
    record.requestIdFrom = isRetained ? forwarding.requestIdStart : 0;
    record.requestIdTo = isRetained ? forwarding.requestIdEnd : 0;
    record.trace = record.head;
    record.traceFrom = isRetained && forwarding.traceIdStart > 0 ? forwarding.traceIdStart : -1;
    record.spanHigh = forwarding.trace.spanHigh;
    record.spanLow = forwarding.trace.spanLow;
    record.status = exchange.status;
    record.bytesIn = exchange.request.bytes;
    record.bytesOut = answer.body.bytes;
    record.route = route.plan.name;
    record.service = exchange.service.plan.name;
    record.arm = exchange.arm.name;
    record.mirrored = exchange.mirrored;
    record.endpoint = endpoint?.plan.id ?? '';
    record.attempts = exchange.attempts;
    record.reused = attempt.reused;
    splitTime(record, exchange, nowMs);
    record.totalMs = totalMs;
    record.verdict = verdictOf(record);
    record.limit = '';
    record.refusal = exchange.refusal < 0 ? '' : (refusals[exchange.refusal]?.word ?? '');
    record.end = ENDS[exchange.ending];
    this.#write();
  }

  #from(client: ClientConnection): void {
    const record = this.#record;
    record.wallMs = this.#options.clock.wallMs();
    record.clientText = client.forwarding.clientText;
    record.clientLength = client.forwarding.clientLength;
    record.listener = client.listener.plan.id;
    record.tls = client.security.version;
  }

  /** A request that sent nothing on has a trace if it is kept as one. */
  #traced(span: SpanRecord | null): void {
    const record = this.#record;
    record.traceFrom = span === null ? -1 : 0;
    if (span === null) return;
    record.trace = ascii(span.traceId);
    record.spanHigh = Number.parseInt(span.spanId.slice(0, 8), 16) | 0;
    record.spanLow = Number.parseInt(span.spanId.slice(8), 16) | 0;
  }

  #write(): void {
    const sink = this.#sink;
    const room = sink?.room(LINE_BYTES_MAX) ?? null;
    if (sink === null || room === null) return;
    sink.commit(this.#lines.write(this.#record, room, sink.length));
    add(this.#options.lane, processSlots.logLines, 1);
  }

  #open(target: string): Sink {
    const { clock, lane, notice } = this.#options;
    return new Sink({
      name: 'access log',
      target,
      clock,
      notice,
      count(dropped, errors) {
        add(lane, processSlots.logDropped, dropped);
        add(lane, processSlots.logErrors, errors);
      },
    });
  }
}

/** Every answer counts with its listener, whoever gave it. */
// WHY four parameters: the hot path; an options object would be made for each request.
function countListener(lane: Lane, status: number, totalMs: number, bucket: number): void {
  if (status > 0) countStatus(lane, listenerSlots.responses1xx, status);
  add(lane, listenerSlots.durationSumMs, totalMs);
  add(lane, listenerSlots.buckets + bucket, 1);
}

/** What is told of one arm of a split, to be compared with the others. */
// WHY four parameters: as above.
function countArm(lane: Lane, exchange: Exchange, totalMs: number, bucket: number): void {
  const { status } = exchange;
  add(lane, armSlots.requests, 1);
  if (status > 0) countStatus(lane, armSlots.responses1xx, status);
  if (isBroken(exchange)) add(lane, armSlots.broken, 1);
  add(lane, armSlots.durationSumMs, totalMs);
  add(lane, armSlots.buckets + bucket, 1);
}

/** A 5xx is a failure already, and what failed is the sum of both. */
function isBroken({ ending, status }: Exchange): boolean {
  return ending === ENDED_BROKEN && status < 500;
}

/** Of the first line with this name, counted from the first field; -1 if there is none. */
function offsetOf(head: Head | null, id: number): number {
  const index = head?.find(id) ?? -1;
  return head === null || index === -1 ? -1 : head.nameStart[index]! - head.nameStart[0]!;
}

function add(lane: Lane, slot: number, count: number): void {
  lane[slot] = (lane[slot] ?? 0) + count;
}
