/**
 * ZooKeeper's messages: what a client asks and how the answers are read. Pure.
 *
 * Invariants: a verb's frame is complete but for its xid, which is written when it is sent. Reading throws `STORE_UNAVAILABLE` for
 * what is no such answer, and nothing else.
 * Source: zookeeper.jute, ZooDefs.OpCode and KeeperException.Code of Apache ZooKeeper 3.8.
 */
import { JuteReader, JuteWriter, malformed } from './jute.ts';

const ops = {
  plainCreate: 1,
  delete: 2,
  exists: 3,
  get: 4,
  set: 5,
  sync: 9,
  children: 12,
  check: 13,
  multi: 14,
  create: 15,
  createContainer: 19,
  auth: 100,
  setWatches: 101,
  close: -11,
} as const;

/** In a `multi` servers answer both kinds of `create` as the older one, which says the path only; so that is what is asked for. */
const stepOps = { create: ops.plainCreate, set: ops.set, delete: ops.delete, check: ops.check } as const;

/** What a server says instead of an answer. */
const refusals = {
  [-1]: 'SYSTEM_ERROR',
  [-2]: 'RUNTIME_INCONSISTENCY',
  [-3]: 'DATA_INCONSISTENCY',
  [-5]: 'MARSHALLING_ERROR',
  [-6]: 'UNIMPLEMENTED',
  [-7]: 'OPERATION_TIMEOUT',
  [-8]: 'BAD_ARGUMENTS',
  [-12]: 'UNKNOWN_SESSION',
  [-101]: 'NO_NODE',
  [-102]: 'NO_AUTH',
  [-103]: 'BAD_VERSION',
  [-108]: 'NO_CHILDREN_FOR_EPHEMERALS',
  [-110]: 'NODE_EXISTS',
  [-111]: 'NOT_EMPTY',
  [-112]: 'SESSION_EXPIRED',
  [-114]: 'INVALID_ACL',
  [-115]: 'AUTH_FAILED',
  [-118]: 'SESSION_MOVED',
  [-119]: 'NOT_READ_ONLY',
  [-120]: 'EPHEMERAL_ON_LOCAL_SESSION',
  [-125]: 'QUOTA_EXCEEDED',
  [-127]: 'THROTTLED',
} as const;

export type ZookeeperRefusalName = (typeof refusals)[keyof typeof refusals] | `ERROR_${number}`;

export function refusalName(code: number): ZookeeperRefusalName {
  return Object.hasOwn(refusals, code) ? refusals[code as keyof typeof refusals] : `ERROR_${code}`;
}

/** What is known of a node. Of a zxid, a later one is larger: `czxid` of a node made anew is a fencing token. */
export interface Stat {
  /** Of the transaction that created the node, that changed it last, and that created or deleted a child last. */
  readonly czxid: bigint;
  readonly mzxid: bigint;
  readonly pzxid: bigint;
  /** Milliseconds since the Unix epoch, by the leader's clock. */
  readonly createdAtMs: number;
  readonly changedAtMs: number;
  /** How often data, children and access list were changed. */
  readonly version: number;
  readonly childrenVersion: number;
  readonly aclVersion: number;
  /** The session that an ephemeral node ends with; 0 for a persistent one. */
  readonly ephemeralOwner: bigint;
  readonly dataBytes: number;
  readonly children: number;
}

export interface Acl {
  /** 1 read, 2 write, 4 create, 8 delete, 16 administer; added up. */
  readonly permissions: number;
  readonly scheme: string;
  readonly id: string;
}

export interface Created {
  /** With the number, for a sequential node. */
  readonly path: string;
  readonly stat: Stat;
}

export interface CreateFields {
  readonly path: string;
  readonly data: Uint8Array;
  readonly acl: readonly Acl[];
  readonly ephemeral: boolean;
  readonly sequential: boolean;
  readonly container: boolean;
}

/** One step of a `multi`. */
export type Step =
  | ({ readonly op: 'create' } & CreateFields)
  | { readonly op: 'set'; readonly path: string; readonly data: Uint8Array; readonly version: number }
  | { readonly op: 'delete' | 'check'; readonly path: string; readonly version: number };

export type StepResult =
  | { readonly op: 'create'; readonly path: string }
  | { readonly op: 'set'; readonly stat: Stat }
  | { readonly op: 'delete' }
  | { readonly op: 'check' };

export type MultiAnswer =
  | { readonly done: true; readonly results: readonly StepResult[] }
  /** Nothing was done, because of this step. */
  | { readonly done: false; readonly index: number; readonly refusal: number };

export interface Verb<T> {
  /** For messages: `get /a`. */
  readonly what: string;
  /** Asked twice, it may do something twice. */
  readonly writes: boolean;
  /** Whether it takes the leader to answer; the others are answered by whatever server the client is connected to. */
  readonly asksLeader: boolean;
  /** Fixed for messages that are not part of the line of requests. */
  readonly xid: number | null;
  readonly frame: Buffer;
  readonly read: (answer: JuteReader) => T;
}

export const xids = { event: -1, auth: -4, setWatches: -8 } as const;
/** Where the xid stands in a frame. */
export const XID_AT = 4;

interface Kind {
  readonly writes?: boolean;
  readonly asksLeader?: boolean;
  readonly xid?: number;
}

function request(op: number): JuteWriter {
  return new JuteWriter().int(0).int(op);
}

function verb<T>(what: string, body: JuteWriter, read: (answer: JuteReader) => T, kind: Kind = {}): Verb<T> {
  const { writes = false, asksLeader = writes, xid = null } = kind;
  return { what, writes, asksLeader, xid, frame: body.frame(), read };
}

function readStat(reader: JuteReader): Stat {
  const [czxid, mzxid] = [reader.long(), reader.long()];
  const [createdAtMs, changedAtMs] = [Number(reader.long()), Number(reader.long())];
  const [version, childrenVersion, aclVersion] = [reader.int(), reader.int(), reader.int()];
  const ephemeralOwner = reader.long();
  const [dataBytes, children] = [reader.int(), reader.int()];
  const versions = { version, childrenVersion, aclVersion };
  return {
    czxid,
    mzxid,
    pzxid: reader.long(),
    createdAtMs,
    changedAtMs,
    ...versions,
    ephemeralOwner,
    dataBytes,
    children,
  };
}

function readCreated(reader: JuteReader): Created {
  return { path: reader.string(), stat: readStat(reader) };
}

/** Of the kinds of nodes, which are no flags from here on. */
const CONTAINER = 4;

function writeCreate(body: JuteWriter, { path, data, acl, ephemeral, sequential, container }: CreateFields): void {
  body.string(path).buffer(data).int(acl.length);
  for (const { permissions, scheme, id } of acl) body.int(permissions).string(scheme).string(id);
  body.int(container ? CONTAINER : (ephemeral ? 1 : 0) | (sequential ? 2 : 0));
}

function nothing(): void {}

export const verbs = {
  create(fields: CreateFields): Verb<Created> {
    const body = request(fields.container ? ops.createContainer : ops.create);
    writeCreate(body, fields);
    return verb(`create ${fields.path}`, body, readCreated, { writes: true });
  },
  delete: (path: string, version: number): Verb<void> =>
    verb(`delete ${path}`, request(ops.delete).string(path).int(version), nothing, { writes: true }),
  set: (path: string, data: Uint8Array, version: number): Verb<Stat> =>
    verb(`set ${path}`, request(ops.set).string(path).buffer(data).int(version), readStat, { writes: true }),
  exists: (path: string, watch: boolean): Verb<Stat> =>
    verb(`exists ${path}`, request(ops.exists).string(path).bool(watch), readStat),
  get: (path: string, watch: boolean): Verb<{ readonly data: Buffer; readonly stat: Stat }> =>
    verb(`get ${path}`, request(ops.get).string(path).bool(watch), (answer) => ({
      data: answer.buffer(),
      stat: readStat(answer),
    })),
  children: (path: string, watch: boolean): Verb<{ readonly children: string[]; readonly stat: Stat }> =>
    verb(`children of ${path}`, request(ops.children).string(path).bool(watch), (answer) => ({
      children: answer.strings(),
      stat: readStat(answer),
    })),
  sync: (path: string): Verb<void> =>
    verb(`sync ${path}`, request(ops.sync).string(path), nothing, { asksLeader: true }),
  multi(steps: readonly Step[]): Verb<MultiAnswer> {
    const body = request(ops.multi);
    for (const step of steps) {
      body.int(stepOps[step.op]).bool(false).int(-1);
      if (step.op === 'create') writeCreate(body, step);
      else if (step.op === 'set') body.string(step.path).buffer(step.data).int(step.version);
      else body.string(step.path).int(step.version);
    }
    body.int(-1).bool(true).int(-1);
    return verb(multiName(steps), body, (answer) => readMulti(answer, steps), { writes: true });
  },
  auth: (scheme: string, credentials: Uint8Array): Verb<void> =>
    verb('auth', request(ops.auth).int(0).string(scheme).buffer(credentials), nothing, { xid: xids.auth }),
  setWatches: (lastZxid: bigint, { data, exists, children }: WatchedPaths): Verb<void> =>
    verb(
      'setWatches',
      request(ops.setWatches).long(lastZxid).strings(data).strings(exists).strings(children),
      nothing,
      { xid: xids.setWatches },
    ),
  close: (): Verb<void> => verb('close', request(ops.close), nothing, { asksLeader: true }),
};

export interface WatchedPaths {
  readonly data: readonly string[];
  readonly exists: readonly string[];
  readonly children: readonly string[];
}

/** For messages, with that step of it. */
export function multiName(steps: readonly Pick<Step, 'op' | 'path'>[], index = 0): string {
  const step = steps[index];
  return `multi of ${steps.length}${step === undefined ? '' : ` (${step.op} ${step.path})`}`;
}

function readMulti(answer: JuteReader, steps: readonly Step[]): MultiAnswer {
  const results: StepResult[] = [];
  let failed: { readonly index: number; readonly refusal: number } | null = null;
  for (let index = 0; ; index++) {
    const [type, done] = [answer.int(), answer.bool()];
    answer.int();
    if (done) break;
    const step = steps[index];
    if (type === -1) {
      const refusal = answer.int();
      // Those before it are answered with 0, those after it with an error that says that they follow one.
      if (refusal !== 0) failed ??= { index, refusal };
    } else if (step === undefined || type !== stepOps[step.op]) throw malformed(`an answer of type ${type} in a multi`);
    else if (step.op === 'create') results.push({ op: 'create', path: answer.string() });
    else if (step.op === 'set') results.push({ op: 'set', stat: readStat(answer) });
    else results.push({ op: step.op });
  }
  if (failed !== null) return { done: false, ...failed };
  if (results.length !== steps.length) throw malformed(`${results.length} answers to a multi of ${steps.length}`);
  return { done: true, results };
}

export interface Hello {
  readonly lastZxid: bigint;
  readonly timeoutMs: number;
  /** 0 asks for a new session. */
  readonly sessionId: bigint;
  readonly password: Uint8Array;
}

export function writeHello({ lastZxid, timeoutMs, sessionId, password }: Hello): Buffer {
  return new JuteWriter().int(0).long(lastZxid).int(timeoutMs).long(sessionId).buffer(password).bool(false).frame();
}

export interface Welcome {
  /** 0: the session that was asked for is over. */
  readonly timeoutMs: number;
  readonly sessionId: bigint;
  readonly password: Uint8Array;
}

export function readWelcome(message: Uint8Array): Welcome {
  const reader = new JuteReader(message);
  reader.int();
  const [timeoutMs, sessionId] = [reader.int(), reader.long()];
  const password = Uint8Array.from(reader.buffer());
  if (timeoutMs < 0) throw malformed(`a session that lasts ${timeoutMs} ms`);
  if (timeoutMs > 0 && sessionId === 0n) throw malformed('a session without an id');
  return { timeoutMs, sessionId, password };
}

export interface ReplyHeader {
  readonly xid: number;
  readonly zxid: bigint;
  /** 0 if it was done. */
  readonly refusal: number;
}

/** Reads the head of a message and leaves the reader at its body. */
export function readHeader(reader: JuteReader): ReplyHeader {
  return { xid: reader.int(), zxid: reader.long(), refusal: reader.int() };
}

const eventTypes = { 1: 'created', 2: 'deleted', 3: 'changed', 4: 'children' } as const;

export interface NodeEvent {
  readonly type: (typeof eventTypes)[keyof typeof eventTypes];
  readonly path: string;
}

/** Null for one of a type that no watch of ours asks for. */
export function readEvent(body: JuteReader): NodeEvent | null {
  const type = body.int();
  body.int();
  const path = body.string();
  return Object.hasOwn(eventTypes, type) ? { type: eventTypes[type as keyof typeof eventTypes], path } : null;
}
