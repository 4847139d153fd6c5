/** Rules about `health.active` of a service: its times, and that it asks for nothing that its type cannot do. */
import { formatDuration } from '../../kernel/units.ts';
import { refusedField } from '../shaping/field-edits.ts';
import type { ActiveHealth } from './check-schema.ts';
import type { MistakeList, Path } from '../../reading/mistakes.ts';

type Type = ActiveHealth['type'];

/** Which types of check an option is for. */
const options: Readonly<Partial<Record<keyof ActiveHealth, readonly Type[]>>> = {
  path: ['http'],
  method: ['http'],
  host: ['http', 'grpc'],
  headers: ['http', 'grpc'],
  service: ['grpc'],
  send: ['tcp'],
};
const expectations: Readonly<Record<keyof NonNullable<ActiveHealth['expect']>, readonly Type[]>> = {
  status: ['http'],
  headers: ['http'],
  body: ['http'],
  banner: ['tcp'],
};

export function checkActive(active: ActiveHealth, path: Path, list: MistakeList): void {
  const { interval, timeout, type, expect = {}, headers = {} } = active;
  if (timeout !== undefined && timeout > interval) {
    const message = 'a check would still wait when the next one is due';
    const expected = `timeout (${formatDuration(timeout)}) at most interval (${formatDuration(interval)})`;
    list.error([...path, 'timeout'], { message, expected });
  }
  checkType(active, options, type, path, list);
  checkType(expect, expectations, type, [...path, 'expect'], list);
  for (const name of Object.keys(headers)) checkField(name, type, [...path, 'headers', name], list);
  if (active.method === 'HEAD' && expect.body !== undefined) {
    const message = 'the answer to HEAD has no body (RFC 9110 §9.3.2), so nothing can be in it';
    list.error([...path, 'expect', 'body'], { message, found: 'method: HEAD', expected: 'method: GET' });
  }
  if (active.send !== undefined && expect.banner === undefined) {
    const message = 'nobody looks at what the endpoint answers to this: without expect.banner a connection is enough';
    list.error([...path, 'send'], { message, expected: 'expect.banner, or no send' }, 'key');
  }
}

// WHY five parameters: two maps are checked, each against its own table and at its own place.
function checkType<Given extends object>(
  given: Given,
  table: Readonly<Partial<Record<keyof Given, readonly Type[]>>>,
  type: Type,
  path: Path,
  list: MistakeList,
): void {
  for (const [name, types] of Object.entries<readonly Type[]>(table as Readonly<Record<string, readonly Type[]>>)) {
    if (given[name as keyof Given] === undefined || types.includes(type)) continue;
    const message = `${name} means nothing to a check of type ${type}`;
    list.error([...path, name], { message, expected: `type: ${types.join(' or ')}, or no such key` }, 'key');
  }
}

function checkField(name: string, type: Type, path: Path, list: MistakeList): void {
  const lower = name.toLowerCase();
  const ofGrpc = type === 'grpc' && (lower === 'content-type' || lower.startsWith('grpc-'));
  const reason = ofGrpc
    ? 'gRPC says itself what is in it'
    : lower === 'host'
      ? 'that is what the option host is for'
      : refusedField(name, 'answer');
  if (reason !== null) list.error(path, { message: `the field ${name} of a check cannot be set: ${reason}` }, 'key');
}
