/** The errors of a ZooKeeper client, and how to tell apart what a server refused. */
import { SpillwayError } from '../../kernel/errors.ts';
import { refusalName, type ZookeeperRefusalName } from './messages.ts';

/** The `cause` of a refusal: what the server said. */
class ZookeeperRefusal extends Error {
  override readonly name = 'ZookeeperRefusal';
  readonly refusal: ZookeeperRefusalName;
  /** Which step of a `multi` it was. */
  readonly index: number | null;

  constructor(code: number, index: number | null) {
    super(`${refusalName(code)} (${code})`);
    this.refusal = refusalName(code);
    this.index = index;
  }
}

/** Said of a request that was not done, and that may be made again as it is. */
const passing: readonly ZookeeperRefusalName[] = ['THROTTLED', 'SESSION_MOVED'];

export function refused(what: string, code: number, index: number | null = null): SpillwayError {
  const cause = new ZookeeperRefusal(code, index);
  const where = index === null ? '' : `, step ${index}`;
  const retryable = passing.includes(cause.refusal);
  const says = `ZooKeeper refused ${what}${where}: ${cause.message}.`;
  return new SpillwayError(retryable ? 'STORE_UNAVAILABLE' : 'STORE_REFUSED', says, { cause, retryable });
}

/** Whether an error is a server's refusal, and this one if a name is given. */
export function isRefusal(error: unknown, refusal?: ZookeeperRefusalName): error is SpillwayError {
  if (!(error instanceof SpillwayError && error.cause instanceof ZookeeperRefusal)) return false;
  return refusal === undefined || error.cause.refusal === refusal;
}

/** It was not sent; nothing has been done. */
export function unavailable(message: string, cause?: unknown): SpillwayError {
  return new SpillwayError('STORE_UNAVAILABLE', message, { retryable: true, cause });
}

/** It was sent. What only reads may be asked again; what writes may have been done. */
export function unanswered(what: string, writes: boolean, why: string, cause?: unknown): SpillwayError {
  const lost = `${what} was sent and not answered (${why})`;
  return writes
    ? new SpillwayError('STORE_UNSURE', `${lost}: it may have been done, or not.`, { cause })
    : unavailable(`${lost}: it does nothing and may be asked again.`, cause);
}

export function sessionEnded(why: string): SpillwayError {
  return new SpillwayError('ZOOKEEPER_SESSION_ENDED', `The session is over: ${why}. Open another.`);
}
