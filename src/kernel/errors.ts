/**
 * The one error class. Outcomes that a caller expects are values; an error means that something is broken or was used
 * wrongly. Every code is listed in docs/errors.md, and a test holds the two lists equal.
 */

export interface SpillwayErrorOptions {
  readonly cause?: unknown;
  /** True if the same call may succeed later without anything being changed. @defaultValue false */
  readonly retryable?: boolean;
}

/** An error with a stable `code` to switch on and a message for people: what was wrong, what was expected, what to do. */
export class SpillwayError extends Error {
  override readonly name = 'SpillwayError';
  readonly code: ErrorCode;
  readonly retryable: boolean;

  constructor(code: ErrorCode, message: string, options: SpillwayErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.retryable = options.retryable ?? false;
  }
}

/** Every code, with the sentence that docs/errors.md shows. */
export const errorCodes = {
  CONFIG_INVALID: 'The config file has mistakes; each is listed with its place, what was found and what was expected.',
  CONFIG_NOT_FOUND: 'The config file does not exist or cannot be read.',
  LISTEN_FAILED: 'A listener could not bind its address: in use, not on this machine, or not permitted.',
  ADMIN_TOKEN_REQUIRED: 'The admin address is reachable from other machines and no token is set.',
  GATEWAY_STATE: 'A gateway was used in a state that does not allow it, such as starting it twice.',
  WORKER_FAILED: 'A data-plane worker could not be started or would not accept a config.',
  USER_FAILED: 'The process is root and could not become the user that the config names.',
  ADDRESS_REFUSED:
    'The name of an endpoint stands for nothing but link-local addresses or those at which a cloud hands out credentials.',
  ENDPOINTS_INVALID:
    'A list of endpoints that a service was given has mistakes, or does not fit; the ones before stay.',
  ENDPOINTS_ELSEWHERE:
    'The service does not take its endpoints from whoever gave some: the config names another source.',
  ENDPOINTS_FULL: 'The endpoints of a new config have no room beside those that are there; the ones before stay.',
  ENDPOINT_UNKNOWN: 'There is no such service, or it was not given such an endpoint.',
  DNS_FAILED: 'No DNS server gave an answer to a question that can be used.',
  ADMIN_UNREACHABLE: 'No running gateway answered on the admin address.',
  ADMIN_REFUSED: 'A running gateway wants a token for what it was asked, or another one than it was shown.',
  STORE_UNAVAILABLE: 'A store did not answer in time, or answered with an error.',
  STORE_REFUSED: 'A store will not do what it is asked, now or later, until somebody changes something.',
  STORE_UNSURE: 'A store was to change something and its answer was lost: it may have been done, or may yet be.',
  ETCD_LEASE_GONE: 'A lease of etcd that a call names is over, or never was; nothing was done.',
  LEASE_TAKEN: 'The wait for a lease was over before others had given it back.',
  LEASE_LOST: 'A lease is over: it was released, could not be renewed in time, or its store does not know it any more.',
  LEASE_LATE: 'A lease was granted so late that too little was left of it, and was given back.',
  CRON_RECORD: 'The record of a cron cannot be read, or says that it is much later than this machine does.',
  LEASES_CLOSED: 'Locks or elections were asked for a lease after they had been closed, or are closed while one waits.',
  ANSWER_TOO_LARGE: 'A question to a geo store finds more than the store may answer.',
  KEYS_APART: 'Keys that are taken from together are in different slots of a Redis cluster.',
  FILTER_FILE: 'A file of a filter, or one it needs while it is built, could not be read or written.',
  FILTER_FULL: 'A filter has no room for a further key and did not take it.',
  FILTER_DAMAGED: 'Bytes or a file are not the filter that was written: cut short, changed, or something else.',
  PACKAGE_MISSING: 'An optional package that the config needs is not installed, or cannot be loaded.',
  DATA_BUSY: 'A folder for data is being written by another process.',
  CLOCK_BEHIND: 'A folder for data was written later than the clock says it is.',
  FILTER_BUSY: 'A filter in a file is being written by another, or was when its process ended.',
  HISTORY_INVALID: 'A history of operations is one that cannot have happened, or its files are damaged.',
  ZOOKEEPER_SESSION_ENDED: 'The session with ZooKeeper is over: it has expired or was closed.',
  METRIC_CONFLICT: 'A metric of this name is there already, with another type, other labels, buckets or limits.',
  INSTRUMENTED: 'A process was to be instrumented that is already: everything would be counted twice.',
  METRICS_FULL: 'The memory of metrics has no room for the definition of another one.',
  LEDGER_FILE: 'The ledger of error budgets could not be read or written.',
  BUDGET_FROZEN: 'A change was refused because the error budget of an objective is spent.',
  BUDGET_UNKNOWN: 'It is not known yet what is left of the error budget of an objective.',
  OTLP_INVALID: 'Telemetry that was received is no OTLP, or more of it than is taken in one go.',
  CACHE_LOAD_LATE: 'Loading a value for a cache took longer than its deadline, and there was no old one to serve.',
  OPTIONS_INVALID: 'A module was given options or data that it cannot work with.',
} as const satisfies Record<string, string>;

export type ErrorCode = keyof typeof errorCodes;

/** Whether an error has one of these codes. */
export function isCoded(error: unknown, ...codes: readonly ErrorCode[]): error is SpillwayError {
  return error instanceof SpillwayError && codes.includes(error.code);
}

/** Also one of another realm; never throws. */
export function isError(value: unknown): value is Error {
  try {
    return Error.isError(value) || value instanceof Error;
  } catch {
    return false;
  }
}
