/** The errors of a ZooKeeper client, and how to tell apart what a server refused. */
import { SpillwayError } from '../../kernel/errors.ts';
import { refusalName, type ZookeeperRefusalName } from './messages.ts';

/** The `cause` of `ZOOKEEPER_REFUSED`: what the server said. */
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

export function refused(what: string, code: number, index: number | null = null): SpillwayError {
  const cause = new ZookeeperRefusal(code, index);
  const where = index === null ? '' : `, step ${index}`;
  return new SpillwayError('ZOOKEEPER_REFUSED', `ZooKeeper refused ${what}${where}: ${cause.message}.`, { cause });
}

/** Whether an error is a server's refusal, and this one if a name is given. */
export function isRefusal(error: unknown, refusal?: ZookeeperRefusalName): boolean {
  if (!(error instanceof SpillwayError && error.cause instanceof ZookeeperRefusal)) return false;
  return refusal === undefined || error.cause.refusal === refusal;
}

/** It was not sent; nothing has been done. */
export function unavailable(message: string, cause?: unknown): SpillwayError {
  return new SpillwayError('ZOOKEEPER_UNAVAILABLE', message, { retryable: true, cause });
}

/** It was sent. What only reads may be asked again; what writes may have been done. */
export function unanswered(what: string, writes: boolean, why: string, cause?: unknown): SpillwayError {
  const done = writes ? 'it may have been done, or not' : 'it does nothing and may be asked again';
  return new SpillwayError('ZOOKEEPER_CONNECTION_LOSS', `${what} was sent and not answered (${why}): ${done}.`, {
    retryable: !writes,
    cause,
  });
}

export function sessionEnded(why: string): SpillwayError {
  return new SpillwayError('ZOOKEEPER_SESSION_ENDED', `The session is over: ${why}. Open another.`);
}
